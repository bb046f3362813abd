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

/** What a kernel may be off: sums in float32, and operands that were rounded to float16 before. */
const TOLERANCE = { f32: 1e-5, f16: 1e-3 }

/** One kernel at one size. The first contestant of a race is the plain one that the others are measured against. */
export interface Contestant {
  name: string
  /** Runs once more on f16 inputs where the device's tier has them. */
  halves?: boolean
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
  /** Relative L2 distance from the host's result, and the most that is right. */
  error: number
  tolerance: number
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
  const uploaded = (stored: (data: Float32Array) => Float32Array | Uint16Array) =>
    Object.fromEntries(
      Object.entries(race.inputs).map(([name, { data, shape }]) => [name, g.upload(stored(data), shape, name)]),
    )
  const wide = { inputs: uploaded((data) => data), tolerance: TOLERANCE.f32 }
  const contestants = race.contestants.map((contestant) => ({ ...contestant, ...wide }))
  if (device.tier !== 'f32') {
    const narrow = { inputs: uploaded(float16Bits), tolerance: TOLERANCE.f16 }
    for (const contestant of race.contestants.filter(({ halves }) => halves)) {
      contestants.push({ ...contestant, ...narrow, name: `${contestant.name}, f16` })
    }
  }
  const run = async ({ record, inputs }: (typeof contestants)[number]): Promise<number> => {
    const y = record(g, inputs)
    const start = performance.now()
    await g.flush()
    await device.finished()
    const time = performance.now() - start
    g.release(y)
    return time
  }
  const errors: number[] = []
  const compile: number[] = []
  for (const { record, inputs } of contestants) {
    const start = performance.now()
    const y = record(g, inputs)
    const values = await g.read(y)
    compile.push(performance.now() - start)
    g.release(y)
    errors.push(relativeL2(values, race.expected))
  }
  const times = contestants.map((): number[] => [])
  const start = performance.now()
  for (let i = 0; i < warmup + iterations; i++) {
    if (i - warmup >= FEWEST && performance.now() - start > PATIENCE) break
    for (const [c, contestant] of contestants.entries()) {
      const time = await run(contestant)
      if (i >= warmup) times[c].push(time)
    }
  }
  g.reset()
  device.arena.trim()
  const medians = times.map((list) => list.sort((a, b) => a - b)[list.length >> 1])
  return contestants.map(({ name, tolerance }, c) => ({
    what: race.what,
    kernel: name,
    error: errors[c],
    tolerance,
    median: medians[c],
    min: times[c][0],
    gflops: race.flop / medians[c] / 1e6,
    best: race.flop / times[c][0] / 1e6,
    ratio: medians[0] / medians[c],
    compile: compile[c],
  }))
}

export function printTable(rows: Row[]): void {
  console.log(`\n${'kernel'.padEnd(30)} GFLOP/s   best  ratio   median      min  compile    error`)
  let what = ''
  for (const row of rows) {
    if (row.what !== what) console.log((what = row.what))
    console.log(
      `  ${row.kernel.padEnd(28)} ${row.gflops.toFixed(2).padStart(7)} ${row.best.toFixed(2).padStart(6)} ${row.ratio.toFixed(1).padStart(5)}x ` +
        `${row.median.toFixed(2).padStart(6)}ms ${row.min.toFixed(2).padStart(6)}ms ` +
        `${row.compile.toFixed(0).padStart(6)}ms ${row.error.toExponential(1).padStart(8)}`,
    )
  }
}

export const random = (count: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, () => Math.random() * 2 - 1)

/** The nearest f16 of each value, as bits. Below 2^-14, where f16 thins out, it is 0: nothing beside the other values. */
export function float16Bits(data: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(Float32Array.from(data).buffer), (bits) => {
    const sign = (bits >>> 16) & 0x8000
    const exponent = ((bits >>> 23) & 0xff) - 112
    const mantissa = bits & 0x7fffff
    // The carry of the rounding goes into the exponent, as it should.
    return exponent <= 0 ? sign : sign | (((exponent << 10) | (mantissa >>> 13)) + ((mantissa >>> 12) & 1))
  })
}
