import { flatWorkgroup, kernel } from '../../../runtime/kernels.ts'
import { copyRows } from '../../../runtime/ops/index.ts'
import { MATRIX_PEAK_FLOP, MATRIX_PEAK_RESULTS, matrixPeak, vectorPeak, vectorPeakFlop } from '../../../wgsl/peak.ts'
import { type Stopwatch, secondsOf } from './stopwatch.ts'

/** What the device does at most, measured: everything else is a share of it. */
export interface DeviceLimits {
  /** Floating-point operations a second of the units that the tier multiplies with, in registers alone. */
  readonly flops: number
  /** Bytes a second that a copy reads and writes. */
  readonly bytes: number
}

export async function measureLimits(watch: Stopwatch): Promise<DeviceLimits> {
  return { flops: await peakFlops(watch), bytes: await copyBandwidth(watch) }
}

async function peakFlops(watch: Stopwatch): Promise<number> {
  const { g, device } = watch
  const { tier, software } = device.target
  const threads = flatWorkgroup(device.target)
  const chains = software ? 4 : 8
  const [workgroups, turns] = software ? [64, 1024] : tier === 'matrix' ? [1056, 2048] : [8192, 2048]
  const [code, results, flop] =
    tier === 'matrix'
      ? [kernel('peak.matrix', matrixPeak), MATRIX_PEAK_RESULTS, MATRIX_PEAK_FLOP]
      : [
          kernel(`peak.${tier}.w${threads}`, () => vectorPeak(tier, threads, chains, !software)),
          workgroups * threads,
          vectorPeakFlop(chains) * threads,
        ]
  const seconds = await secondsOf(watch, () =>
    g.record({
      kernel: code,
      inputs: [],
      outputs: [g.create([results], 'f32', 'peak')],
      uniforms: [turns],
      groups: [workgroups, 1, 1],
    }),
  )
  return (workgroups * turns * flop) / seconds
}

async function copyBandwidth(watch: Stopwatch): Promise<number> {
  const { g, device } = watch
  const size = (device.target.software ? 4 : 64) * 2 ** 20 // values: 256 MiB on a GPU, more than its caches
  const x = g.allocate([size], 'f32', 'copied')
  const rows = { stride: 0, offset: 0 }
  const seconds = await secondsOf(watch, () => copyRows(g, x, rows, g.create([size], 'f32', 'copy'), rows, 1, size))
  g.release(x)
  return (2 * 4 * size) / seconds
}
