import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from 'fast-png'

export interface BatchTrial {
  /** A new folder. */
  readonly folder: string
  readonly rows: number
  readonly kills: number
  /** Starts it: a command line for a table and a folder. */
  command(table: string, pictures: string): readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** 0 to 1, again and again. */
  random(): number
}

/** A batch that was killed again and again, and then left alone. */
export interface BatchReport {
  /** Rows that lay there, in the manifest, after each kill. */
  readonly done: readonly number[]
  /** What is wrong, for a person. */
  readonly faults: readonly string[]
}

/**
 * Kills a batch at random moments with SIGKILL, starts it again each time, and at last lets it end. Then every row must have its
 * picture, whole; no row that was finished may have been drawn again; and nothing else may be left.
 */
export async function batchTrial({ folder, rows, kills, command, env, random }: BatchTrial): Promise<BatchReport> {
  const [table, pictures] = [join(folder, 'prompts.csv'), join(folder, 'pictures')]
  mkdirSync(pictures)
  writeFileSync(table, `prompt\n${Array.from({ length: rows }, (_, i) => `picture ${i + 1}`).join('\n')}\n`)
  const faults: string[] = []
  const finished = new Map<number, string>()
  const done: number[] = []
  /** Rows that a process printed, which are those it finished. */
  const run = (killAfterRows: number | undefined) =>
    new Promise<number | null>((resolve) => {
      const [program, ...args] = command(table, pictures)
      const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
      let [printed, errors] = [0, '']
      // Its beginning is part of what can be killed; the later moments are within a row, or as it is written.
      const killSoon = (most: number) => setTimeout(() => child.kill('SIGKILL'), most * random())
      if (killAfterRows === 0) killSoon(300)
      child.stdout.on('data', (chunk) => {
        const before = printed
        printed += String(chunk).split('\n').length - 1
        if (killAfterRows && before < killAfterRows && printed >= killAfterRows) killSoon(40)
      })
      child.stderr.on('data', (chunk) => (errors += chunk))
      child.on('close', (code) => {
        if (code !== 0 && code !== null) faults.push(`it ended with ${code}: ${errors.slice(-300)}`)
        resolve(code)
      })
    })
  const look = () => {
    for (const name of readdirSync(pictures).filter((one) => one.endsWith('.png') && !one.startsWith('.'))) {
      try {
        decode(readFileSync(join(pictures, name)), { checkCrc: true })
      } catch (error) {
        faults.push(`${name} is no whole picture: ${error}`)
      }
    }
    for (const line of wholeLines(join(pictures, 'manifest.jsonl'))) {
      const { row, file } = JSON.parse(line)
      if (row === undefined) continue
      const bytes = readFileSync(join(pictures, file)).toString('base64')
      if (finished.has(row) && finished.get(row) !== bytes) faults.push(`row ${row} is another picture now`)
      finished.set(row, bytes)
    }
  }
  for (let kill = 0; kill < kills; kill++) {
    // What is left is shared out, so that there is something to kill every time.
    await run(kill === 0 ? 0 : 1 + Math.floor((random() * (rows - finished.size)) / (kills - kill + 1)))
    look()
    done.push(finished.size)
  }
  const code = await run(undefined)
  look()
  if (code !== 0) faults.push(`the last run ended with ${code}`)
  const numbers = wholeLines(join(pictures, 'manifest.jsonl')).flatMap((line) => JSON.parse(line).row ?? [])
  if (numbers.length !== rows || new Set(numbers).size !== rows) faults.push(`the manifest has rows ${numbers}`)
  const files = readdirSync(pictures).filter((name) => name !== 'manifest.jsonl')
  if (files.length !== rows) faults.push(`the folder has ${files.length} files for ${rows} rows: ${files}`)
  return { done, faults }
}

function wholeLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } catch {
    return [] // killed before there was one
  }
}
