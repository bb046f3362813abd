import { readdir, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { DitImage } from '../../pipelines/image/image.ts'
import { randomSeed } from '../../pipelines/noise.ts'
import { DitError } from '../../runtime/errors.ts'
import type { CliIo } from '../command.ts'
import type { Drawing } from '../generate/drawing.ts'
import { duration } from '../generate/progress.ts'
import type { Settings } from '../generate/settings.ts'
import { pictureParameters } from '../generate/write_results.ts'
import type { Row } from './dataset.ts'
import { withLock } from './lock.ts'
import { type JobLine, MANIFEST, Manifest } from './manifest.ts'
import { callOf, type Task, tasksOf, together } from './tasks.ts'

/** What of a table is yet to be drawn into its folder. */
export interface Job {
  readonly left: readonly Task[]
  /** Draws it, up to `most` rows together; each is written as soon as it is finished. */
  drawAll(drawing: Pick<Drawing, 'draw' | 'facts'>, most: number): Promise<void>
}

/** Begins the job of a table in its folder, or goes on with it. @throws DitError where the folder holds another job */
export async function withJob(
  settings: Settings,
  rows: readonly Row[],
  io: CliIo,
  body: (job: Job) => Promise<void>,
): Promise<void> {
  const { outputDirectory: folder } = settings
  await withLock(folder, async () => {
    await removeTemporaryFiles(folder)
    const manifest = await openManifest(settings)
    const tasks = tasksOf(rows, settings, manifest.job.seed)
    const left = await unfinished(tasks, manifest, folder)
    if (left.length < tasks.length) io.note(`${tasks.length - left.length} of ${tasks.length} rows are there already`)
    if (left.length === 0) return
    await body({ left, drawAll: (drawing, most) => drawAll(drawing, { io, settings, manifest, left, most }) })
  })
}

/** Goes on with the job that the folder holds, or begins one. @throws DitError where the folder holds another job */
async function openManifest(settings: Settings): Promise<Manifest> {
  const { outputDirectory: folder, model, variant, transformer, textEncoders, weights, loras } = settings
  const { seed, ...call } = settings.call
  const rest = JSON.parse(
    JSON.stringify({ model: nameOf(model), variant, transformer, textEncoders, weights, loras, call }),
  )
  const there = await Manifest.read(folder)
  if (!there) return Manifest.begin(folder, { seed: seed ?? randomSeed(), ...rest })
  const asked: JobLine['job'] = { seed: seed ?? there.job.seed, ...rest }
  const differs = [...new Set([...Object.keys(asked), ...Object.keys(there.job)])].find(
    (name) => JSON.stringify(asked[name]) !== JSON.stringify(there.job[name]),
  )
  if (differs === undefined) return there
  throw new DitError(
    'bad-argument',
    `${join(folder, MANIFEST)} is of a job with another ${differs}: ${show(there.job[differs])}, now ${show(asked[differs])}`,
    'Choose another folder with --output_directory, or start it with the flags that it had.',
  )
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'none'
/** Folders may be called from elsewhere the next time. */
const nameOf = (model: string): string => basename(resolve(model))

/** @throws DitError where a finished row is not the table's any more */
async function unfinished(tasks: readonly Task[], manifest: Manifest, folder: string): Promise<Task[]> {
  const left: Task[] = []
  for (const task of tasks) {
    const { number, line } = task.row
    const done = manifest.row(number)
    if (done && done.digest !== task.digest) {
      throw new DitError(
        'bad-argument',
        `row ${number} (line ${line}) is not the one that was drawn into ${folder}: ${JSON.stringify(done.prompt)}`,
        'Choose another folder with --output_directory; rows may be added at the end of a table, and not changed.',
      )
    }
    if (!(await manifest.has(number, folder))) left.push(task)
  }
  return left
}

/** Files that a process was writing when it ended. */
async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^\..*\.[0-9a-f-]{36}\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
  }
}

interface Work {
  readonly io: CliIo
  readonly settings: Settings
  readonly manifest: Manifest
  readonly left: readonly Task[]
  readonly most: number
}

type Draws = Pick<Drawing, 'draw' | 'facts'>

async function drawAll(drawing: Draws, { io, settings, manifest, left, most }: Work): Promise<void> {
  const began = performance.now()
  let rest = left
  while (rest.length > 0) {
    const tasks = together(rest, most)
    await drawSome(drawing, tasks, { io, settings, manifest, about: `row ${tasks[0].row.number}, ${rest.length} left` })
    rest = rest.filter((task) => !tasks.includes(task))
  }
  io.status('')
  io.note(`drew ${left.length} rows in ${duration((performance.now() - began) / 1000)}`)
}

/** Draws some rows together, and writes each: first its picture, then its line. */
async function drawSome(
  drawing: Draws,
  tasks: readonly Task[],
  { io, settings, manifest, about }: Pick<Work, 'io' | 'settings' | 'manifest'> & { about: string },
): Promise<void> {
  const prompts = tasks.map(({ row }) => row.prompt)
  const { images, warnings } = await drawing.draw(prompts, callOf(tasks), (step, steps) =>
    io.status(`${about}: step ${step} of ${steps}`),
  )
  io.signal.throwIfAborted()
  for (const [i, { width, height, data }] of images.entries()) {
    const { row, seed, call, digest, file } = tasks[i]
    const own = { ...settings, prompts: [row.prompt], call }
    const parameters = pictureParameters({ seed }, drawing.facts, own, { index: 0, height, width })
    const path = join(settings.outputDirectory, file)
    await new DitImage(width, height, data, parameters).save(path)
    await manifest.add({
      row: row.number,
      file,
      prompt: row.prompt,
      seed,
      digest,
      ...(warnings.length > 0 && { warnings }),
    })
    io.print(path)
  }
  for (const warning of warnings) io.note(`warning: ${about}: ${warning}`)
}
