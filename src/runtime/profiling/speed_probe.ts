import type { Device } from '../device.ts'
import { storedAs } from '../kernels.ts'
import { linear } from '../ops/index.ts'
import { Recorder } from '../recorder.ts'

export interface SpeedProbe {
  /** Billions of multiplications and additions a second. */
  gflops: number
  /** Of the result against float64 on the host, at sampled places: max |a − b| / max |b|. */
  error: number
  correct: boolean
  /** Rows, columns and depth of the linear layer. */
  size: readonly [number, number, number]
}

/** The probe measures for so long, in passes of so long, ms. */
const DURATION = 1000
const PASS = 60

/** Float32 sums of a thousand products err by some 1e-6; a wrong kernel by some 1. */
const TOLERANCE = 1e-4

/** Measures a linear layer, which is most of what a transformer computes, and checks what comes out. */
export async function probeSpeed(device: Device): Promise<SpeedProbe> {
  const size = device.target.software ? ([256, 256, 1024] as const) : ([2048, 2048, 2048] as const)
  const [rows, columns, depth] = size
  const g = new Recorder(device)
  const a = pseudoRandom(rows * depth, 1)
  const b = pseudoRandom(columns * depth, 2)
  const operand = (values: Float32Array) => (storedAs(device.target, 'operand') === 'f16' ? halfBits(values) : values)
  try {
    const x = g.upload(operand(a), [rows, depth], 'probe input')
    const weight = g.upload(operand(b), [columns, depth], 'probe weight')
    const pass = async (repeats: number): Promise<number> => {
      const began = performance.now()
      await g.scope(async () => {
        for (let i = 0; i < repeats; i++) g.release(linear(g, x, { weight }))
        await g.flush()
      })
      await device.finished()
      return performance.now() - began
    }
    const y = await g.read(linear(g, x, { weight })) // compiles the kernel, too
    const once = await pass(1)
    const repeats = Math.min(500, Math.max(1, Math.floor(PASS / once)))
    const began = performance.now()
    let fastest = Number.POSITIVE_INFINITY
    // The fastest: other programs can only slow it down.
    while (performance.now() - began < DURATION) fastest = Math.min(fastest, await pass(repeats))
    device.throwIfFailed()
    const error = sampledError(y, a, b, size)
    const gflops = (2 * rows * columns * depth * repeats) / (fastest * 1e6)
    return { gflops, error, correct: error < TOLERANCE, size }
  } finally {
    g.reset()
  }
}

/** Steps of the operands: f16 holds whole numbers of them exactly up to 1, so that in each tier only the sums round. */
const STEPS = 1024

/** Values in -1…1 of a small generator (Numerical Recipes' constants): the same on every machine. */
function pseudoRandom(length: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.round((state / 2 ** 31 - 1) * STEPS) / STEPS
  })
}

/** IEEE 754 binary16 of whole numbers of steps: sign, 5 bits of exponent with bias 15, 10 bits below the leading one. */
function halfBits(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const steps = Math.abs(value * STEPS)
    if (steps === 0) return 0
    const exponent = 31 - Math.clz32(steps)
    return (value < 0 ? 0x8000 : 0) | ((exponent + 5) << 10) | ((steps << (10 - exponent)) & 0x3ff)
  })
}

/** Places far apart, in every row of tiles. */
const SAMPLES = 997

function sampledError(
  y: Float32Array,
  a: Float32Array,
  b: Float32Array,
  [rows, columns, depth]: readonly [number, number, number],
): number {
  let worst = 0
  let largest = 0
  for (let i = 0; i < SAMPLES; i++) {
    const at = Math.floor((i * (rows * columns - 1)) / (SAMPLES - 1))
    const [row, column] = [Math.floor(at / columns), at % columns]
    let sum = 0
    for (let k = 0; k < depth; k++) sum += a[row * depth + k] * b[column * depth + k]
    worst = Math.max(worst, Math.abs(y[at] - sum))
    largest = Math.max(largest, Math.abs(sum))
  }
  return Number.isFinite(worst) ? worst / largest : Number.POSITIVE_INFINITY
}
