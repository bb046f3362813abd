import { relativeL2 } from '../src/cli/verify/compare.ts'
import type { Device } from '../src/runtime/device.ts'
import { Recorder } from '../src/runtime/recorder.ts'
import type { Tensor } from '../src/runtime/tensor.ts'

/** A race ends after so many ms, whatever its iterations, once each contestant has run FEWEST times. */
const PATIENCE = 8000
const FEWEST = 3

export interface BenchmarkOptions {
  iterations: number
  warmup: number
}

export type Benchmark = (device: Device, options: BenchmarkOptions) => Promise<Row[]>

/** One kernel at one size. The first contestant of a race is the plain one that the others are measured against. */
export interface Contestant {
  name: string
  record(g: Recorder, inputs: Record<string, Tensor>): Tensor
}

export interface Race {
  /** The operation and its sizes. */
  what: string
  inputs: Record<string, { data: Float32Array; shape: number[] }>
  /** What the host computes, in float64. */
  expected: Float64Array
  /** Floating-point operations of one call. */
  flop: number
  contestants: Contestant[]
}

export interface Row {
  what: string
  kernel: string
  /** Relative L2 distance from the host's result. */
  error: number
  /** ms of a call. */
  median: number
  min: number
  /** At the median. */
  gflops: number
  /** At the minimum: what a machine that is busy with other things can do. */
  best: number
  /** Speed at the median over that of the plain kernel. */
  ratio: number
  /** ms from WGSL text to a pipeline that has run once. */
  compile: number
}

/** Checks the contestants against the host, then runs them in turns. */
export async function race(device: Device, race: Race, { iterations, warmup }: BenchmarkOptions): Promise<Row[]> {
  const g = new Recorder(device)
  const inputs = Object.fromEntries(
    Object.entries(race.inputs).map(([name, { data, shape }]) => [name, g.upload(data, shape, name)]),
  )
  const run = async (contestant: Contestant): Promise<number> => {
    const y = contestant.record(g, inputs)
    const start = performance.now()
    await g.flush()
    await device.finished()
    const time = performance.now() - start
    g.release(y)
    return time
  }
  const errors: number[] = []
  const compile: number[] = []
  for (const contestant of race.contestants) {
    const start = performance.now()
    const y = contestant.record(g, inputs)
    const values = await g.read(y)
    compile.push(performance.now() - start)
    g.release(y)
    errors.push(relativeL2(values, race.expected))
  }
  const times = race.contestants.map((): number[] => [])
  const start = performance.now()
  for (let i = 0; i < warmup + iterations; i++) {
    if (i - warmup >= FEWEST && performance.now() - start > PATIENCE) break
    for (const [c, contestant] of race.contestants.entries()) {
      const time = await run(contestant)
      if (i >= warmup) times[c].push(time)
    }
  }
  g.reset()
  device.arena.trim()
  const medians = times.map((list) => list.sort((a, b) => a - b)[list.length >> 1])
  return race.contestants.map(({ name }, c) => ({
    what: race.what,
    kernel: name,
    error: errors[c],
    median: medians[c],
    min: times[c][0],
    gflops: race.flop / medians[c] / 1e6,
    best: race.flop / times[c][0] / 1e6,
    ratio: medians[0] / medians[c],
    compile: compile[c],
  }))
}

export function printTable(rows: Row[]): void {
  console.log(`\n${'kernel'.padEnd(26)} GFLOP/s   best  ratio   median      min  compile    error`)
  let what = ''
  for (const row of rows) {
    if (row.what !== what) console.log((what = row.what))
    console.log(
      `  ${row.kernel.padEnd(24)} ${row.gflops.toFixed(2).padStart(7)} ${row.best.toFixed(2).padStart(6)} ${row.ratio.toFixed(1).padStart(5)}x ` +
        `${row.median.toFixed(2).padStart(6)}ms ${row.min.toFixed(2).padStart(6)}ms ` +
        `${row.compile.toFixed(0).padStart(6)}ms ${row.error.toExponential(1).padStart(8)}`,
    )
  }
}

export const random = (count: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, () => Math.random() * 2 - 1)
