import { fork } from 'node:child_process'
import type { Report } from './case.ts'
import type { Job, News } from './child.ts'

/** A case that takes longer than this hangs, in ms; the pipeline's first one compiles all kernels. */
const LONGEST_CASE = 60_000
/** Between two looks at the clock, in ms. */
const LOOK = 200
/** Heap of a process that runs cases, in MiB: what would take more than that is a fault. */
const HEAP = 1024

export interface WatchOptions extends Omit<Job, 'numbers'> {
  readonly first: number
  readonly cases: number
  readonly child: URL | string
  readonly env: NodeJS.ProcessEnv
  readonly longestCase?: number
  onReport(number: number, report: Pick<Report, 'fault'> & Partial<Report>): void
}

/** Runs cases in a process of their own, and starts another one after a case that ended or hung the last. */
export async function watch(options: WatchOptions): Promise<void> {
  const end = options.first + options.cases
  for (let next = options.first; next < end; ) next = await runFrom(next, end, options)
}

/** Runs cases until all are done or the process is; returns the number of the case to go on with. */
function runFrom(first: number, end: number, options: WatchOptions): Promise<number> {
  const { seed, only, child, env, longestCase = LONGEST_CASE, onReport } = options
  const running = fork(child, { env, execArgv: [`--max-old-space-size=${HEAP}`] })
  let current = first
  let done = first
  let since = performance.now()
  let hung = false
  running.on('message', (news: News) => {
    since = performance.now()
    if ('begins' in news) current = news.begins
    else {
      done = news.number + 1
      onReport(news.number, news.report)
    }
  })
  const clock = setInterval(() => {
    if (performance.now() - since < longestCase) return
    hung = true
    running.kill('SIGKILL')
  }, LOOK)
  running.send({ seed, only, numbers: [first, end] } satisfies Job)
  return new Promise((resolve) => {
    running.on('close', (code, signal) => {
      clearInterval(clock)
      if (done >= end) return resolve(end)
      const fault = hung
        ? `it ran for more than ${longestCase / 1000} s`
        : `it ended the process with ${signal ?? `code ${code}`}`
      onReport(current, { fault })
      resolve(current + 1)
    })
  })
}
