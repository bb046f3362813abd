import { makeCase, type Report, runCase } from './case.ts'

/** What the process that watches this one sends to start it. */
export interface Job {
  readonly seed: number
  readonly only: string | undefined
  readonly numbers: readonly [first: number, end: number]
}

/** What this process tells: which case begins, after which report. */
export type News = { readonly begins: number } | { readonly number: number; readonly report: Report }

// A process of its own, for what damaged files may do to it: hang, run out of memory, crash.
process.once('message', async ({ seed, only, numbers: [first, end] }: Job) => {
  const tell = (news: News) => process.send?.(news)
  for (let number = first; number < end; number++) {
    tell({ begins: number })
    const report = await runCase(makeCase(seed, number, only))
    tell({ number, report })
    // Lets messages out: a device that computes on the CPU leaves this thread little time.
    await new Promise((resolve) => setImmediate(resolve))
  }
  process.exit(0)
})
