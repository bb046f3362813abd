import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Remote, wrap } from 'comlink'
import { build } from 'vite'
import {
  createRendezvous,
  endRendezvous,
  type Rendezvous,
} from '../../../src/parallel/fabric/processes/rendezvous.node.ts'
import type { Silence } from '../../../src/parallel/fabric/watchdog.ts'
import { type RankProcess, startRankProcess } from '../../../src/pipelines/rank_process.node.ts'
import type { TestApi } from './entry.ts'

/** Scripts that processes can run: Node 20 takes no TypeScript. */
export interface Scripts {
  readonly entry: URL
  readonly parent: URL
  remove(): Promise<void>
}

export async function bundle(): Promise<Scripts> {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  // Under node_modules, so that the packages left out of the bundle resolve.
  await mkdir(join(root, 'node_modules/.cache'), { recursive: true })
  const outDir = await mkdtemp(join(root, 'node_modules/.cache/webdit-processes-'))
  const input = {
    entry: join(root, 'test/parallel/processes/entry.ts'),
    parent: join(root, 'test/parallel/processes/parent.ts'),
  }
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    build: { ssr: true, target: 'node20', outDir, rolldownOptions: { input } },
  })
  const script = (name: string) => pathToFileURL(join(outDir, `${name}.js`))
  return { entry: script('entry'), parent: script('parent'), remove: () => rm(outDir, { recursive: true }) }
}

export interface TestProcess extends RankProcess {
  readonly api: Remote<TestApi>
  /** Its failure as text, once it has ended. */
  readonly end: Promise<string>
}

export function startProcess(entry: URL, env?: Record<string, string>): TestProcess {
  const started = startRankProcess(entry, env)
  const end = started.failed.catch((error: Error) => error.message)
  return { ...started, api: wrap<TestApi>(started.endpoint), end }
}

/** Runs `body` with as many ranks, which have met, and sees to it that neither a process nor a folder of theirs is left. */
export async function onProcesses(
  entry: URL,
  size: number,
  body: (ranks: TestProcess[], links: Rendezvous) => Promise<void>,
  silence?: Silence,
): Promise<void> {
  const links = await createRendezvous(size)
  const ranks = Array.from({ length: size }, () => startProcess(entry))
  try {
    await Promise.all(ranks.map((rank, index) => answered(rank, rank.api.open(links, index, silence))))
    await body(ranks, links)
  } finally {
    for (const rank of ranks) rank.terminate()
    await Promise.all(ranks.map(({ end }) => end))
    await endRendezvous(links)
  }
  for (const { pid } of ranks) if (await lives(pid!)) throw new Error(`process ${pid} is left`)
  const folders = await foldersOf(process.pid)
  if (folders.length > 0) throw new Error(`folders are left: ${folders.join(', ')}`)
}

/** An answer, or the reason why there will be none. */
export const answered = <T>(rank: TestProcess, answer: Promise<T>): Promise<T> => Promise.race([answer, rank.failed])

/** Folders that teams of that process have now. */
export const foldersOf = async (pid: number): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`webdit-ranks-${pid}-`))

/** Whether there is such a process; one that has ended and that nobody has asked for is none. */
export async function lives(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const status = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  return !/^\d+ \(.*\) Z/.test(status)
}

/** Waits until all those processes are gone, and tells how long that took, in ms. */
export async function gone(pids: readonly number[], longest: number): Promise<number> {
  const start = performance.now()
  for (;;) {
    const left = (await Promise.all(pids.map(lives))).filter(Boolean).length
    const took = performance.now() - start
    if (left === 0) return took
    if (took > longest) throw new Error(`${left} processes are left after ${longest} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
