import { access, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import { DitError } from '../../runtime/errors.ts'

/** Its name in the output directory. */
export const MANIFEST = 'manifest.jsonl'

/** What all rows are drawn with: the first line. */
export interface JobLine {
  readonly job: {
    readonly model: string
    /** Of rows that have none of their own. */
    readonly seed: number
    readonly [setting: string]: unknown
  }
}

/** A finished row: a line each. */
export interface RowLine {
  readonly row: number
  /** In the same folder. */
  readonly file: string
  readonly prompt: string
  readonly seed: number
  /** Of all that decided on the picture. */
  readonly digest: string
  readonly warnings?: readonly string[]
}

/**
 * What a batch has done, one JSON a line (https://jsonlines.org). A line is added when its picture lies in the folder, whole;
 * so a process that ends at any moment loses no more than what it was drawing.
 */
export class Manifest {
  readonly job: JobLine['job']
  readonly #path: string
  readonly #rows: Map<number, RowLine>

  private constructor(path: string, job: JobLine['job'], rows: Map<number, RowLine>) {
    this.#path = path
    this.job = job
    this.#rows = rows
  }

  /** The job that a folder holds, if it holds one. @throws DitError 'corrupt' for a file that is no such manifest */
  static async read(folder: string): Promise<Manifest | undefined> {
    const path = join(folder, MANIFEST)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw new DitError('io', `cannot read ${path} (${error.code})`, undefined, { cause: error })
    })
    if (text === undefined) return undefined
    // What stands behind the last line's end was broken off as it was written.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    const [first, ...lines] = whole
      .split('\n')
      .slice(0, -1)
      .map((line, i) => parseLine(path, line, i + 1))
    const { job } = (first ?? {}) as Partial<JobLine>
    if (typeof job?.model !== 'string' || !Number.isSafeInteger(job.seed)) throw damaged(path, 1)
    const rows = new Map<number, RowLine>()
    for (const [i, line] of lines.entries()) {
      const { row, file, digest } = line as Partial<RowLine>
      if (!Number.isSafeInteger(row) || typeof file !== 'string' || typeof digest !== 'string')
        throw damaged(path, i + 2)
      rows.set(row!, line as RowLine)
    }
    if (whole !== text) await writeWhole(path, new TextEncoder().encode(whole))
    return new Manifest(path, job, rows)
  }

  static async begin(folder: string, job: JobLine['job']): Promise<Manifest> {
    const path = join(folder, MANIFEST)
    await writeWhole(path, lineOf({ job }))
    return new Manifest(path, job, new Map())
  }

  row(number: number): RowLine | undefined {
    return this.#rows.get(number)
  }

  /** Whether a row is done, and its file still there. */
  async has(number: number, folder: string): Promise<boolean> {
    const line = this.#rows.get(number)
    return (
      line !== undefined &&
      access(join(folder, line.file)).then(
        () => true,
        () => false,
      )
    )
  }

  /** Adds a finished row, flushed to the disk. @throws DitError 'io' */
  async add(line: RowLine): Promise<void> {
    try {
      const file = await open(this.#path, 'a')
      try {
        await file.writeFile(lineOf(line))
        await file.sync()
      } finally {
        await file.close()
      }
    } catch (cause) {
      throw new DitError('io', `cannot write ${this.#path} (${(cause as NodeJS.ErrnoException).code})`, undefined, {
        cause,
      })
    }
    this.#rows.set(line.row, line)
  }
}

const lineOf = (line: JobLine | RowLine): Uint8Array => new TextEncoder().encode(`${JSON.stringify(line)}\n`)

function parseLine(path: string, line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw damaged(path, number)
  }
}

const damaged = (path: string, line: number): DitError =>
  new DitError(
    'corrupt',
    `line ${line} of ${path} is none of webdit batch`,
    'Choose another folder with --output_directory, or take the file away to draw all rows anew.',
  )
