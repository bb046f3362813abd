// npm run bench -- linear [--weights int8,int4] [--sizes 16x3072x3072,4608x12288x3072] [--tier f32|f16|matrix] [--json]
// Linear with weights of few bits beside linear with the tier's own, at sizes of rows x outputs x inputs. Weights are made at
// random, as many of each as no cache holds, and used one after the other. Results are compared with the host at some places
// first; then formats take turns. Times are of the device's own clock where it has one.
import { parseArgs } from 'node:util'
import { Device } from '../../src/runtime/device.ts'
import { linear } from '../../src/runtime/ops/index.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Profiler } from '../../src/runtime/profiling/profiler.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'
import { toFloat32 } from '../../src/runtime/weights/dtypes.ts'
import { fillRandom } from '../../src/runtime/weights/fill_random.ts'
import { deviceTensor } from '../../src/runtime/weights/parameters.ts'
import { freeWeightBuffer, weightBuffer } from '../../src/runtime/weights/weight_buffer.ts'
import { type WeightFormat, weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { float16Bits, random } from '../race.ts'
import { dequantized } from './dequantized.ts'

/** No cache of a GPU is as large. */
const BEYOND_CACHES = 256 * 2 ** 20
/** ms that a turn takes at least. */
const TURN = 100
const TURNS = 5
/** Places of a result that are compared with the host's. */
const COMPARED = 64
/** Sums in f32 of operands in f16, and of weights that are rounded to it. */
const TOLERANCE = 2e-3

await ensureVulkan()
const { values: given } = parseArgs({
  allowPositionals: true,
  options: {
    weights: { type: 'string', default: 'int8,int4' },
    sizes: {
      type: 'string',
      default: '1x18432x3072,16x3072x3072,16x12288x3072,4608x3072x3072,4608x12288x3072,4608x3072x12288',
    },
    tier: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const { tier } = given
if (tier !== undefined && tier !== 'f32' && tier !== 'f16' && tier !== 'matrix')
  throw new Error(`there is no tier ${tier}`)
const names = ['f16', ...given.weights.split(',')]
const device = await Device.open(await openPlatform(), { tier })
const timed = device.features.has('timestamp-query')
if (!given.json) console.log(`${device.name}, tier ${device.tier}, ${timed ? "the device's" : "the host's"} clock`)

interface Row {
  readonly size: string
  readonly weights: string
  /** µs of a call, in the median and at best. */
  readonly median: number
  readonly best: number
  readonly gflops: number
  /** Of weights that are read. */
  readonly gigabytes: number
  /** Speed beside the tier's own weights. */
  readonly ratio: number
  readonly error: number
}

const rows: Row[] = []
for (const size of given.sizes.split(',')) rows.push(...(await measure(size)))
if (given.json) console.log(JSON.stringify({ device: device.name, tier: device.tier, rows }, null, 2))
device.close()
process.exit(rows.every(({ error }) => error < TOLERANCE) ? 0 : 1)

async function measure(size: string): Promise<Row[]> {
  const [m, n, k] = size.split('x').map(Number)
  const x = random(m * k)
  const g = new Recorder(device)
  const operand = g.upload(device.tier === 'f32' ? x : float16Bits(x), [m, k])
  const contestants = []
  for (const name of names) {
    const format = weightFormat(name)
    const weights = await randomWeights(n, k, format)
    const run = async (calls: number): Promise<number> => {
      const profiler = timed ? Profiler.start(device) : undefined
      const began = performance.now()
      for (let i = 0; i < calls; i++)
        g.release(linear(g, operand, { weight: weights[i % weights.length] }, { as: 'operand' }))
      await g.flush()
      await device.finished()
      const ms = profiler?.stop().kernelMs ?? performance.now() - began
      return (1000 * ms) / calls
    }
    contestants.push({
      name,
      weights,
      run,
      error: await errorOf(g, x, operand, weights[0], format),
      times: [] as number[],
    })
  }
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { run, times } of contestants) {
      const once = await run(2)
      times.push(await run(Math.max(2, Math.min(1000, Math.ceil((1000 * TURN) / once)))))
    }
  }
  g.reset()
  device.arena.trim()
  const medians = contestants.map(({ times }) => times.sort((a, b) => a - b)[TURNS >> 1])
  const found = contestants.map(({ name, weights, times, error }, i): Row => {
    for (const { placement } of weights) freeWeightBuffer(device, placement!)
    return {
      size,
      weights: name,
      median: medians[i],
      best: times[0],
      gflops: (2 * m * n * k) / medians[i] / 1e3,
      gigabytes: weights[0].bytes / medians[i] / 1e3,
      ratio: medians[0] / medians[i],
      error,
    }
  })
  if (!given.json) print(found)
  return found
}

function print(found: readonly Row[]): void {
  console.log(`\nlinear ${found[0].size}\n  weights           median      best     GFLOP/s   GB/s  ratio    error`)
  for (const row of found) {
    console.log(
      `  ${row.weights.padEnd(14)} ${row.median.toFixed(1).padStart(7)}µs ${row.best.toFixed(1).padStart(7)}µs ` +
        `${row.gflops.toFixed(1).padStart(11)} ${row.gigabytes.toFixed(1).padStart(6)} ${row.ratio.toFixed(2).padStart(5)}x ${row.error.toExponential(1)}`,
    )
  }
}

async function randomWeights(n: number, k: number, format: WeightFormat | undefined): Promise<Tensor[]> {
  const parameter = { shape: [n, k], layout: 'rows', as: 'operand', format } as const
  const { bytes } = deviceTensor('w', { ...parameter, shape: [n, k] }, device.target)
  const count = device.target.software ? 1 : Math.ceil(BEYOND_CACHES / bytes)
  const weights: Tensor[] = []
  for (let i = 0; i < count; i++) {
    const tensor = deviceTensor(`w${i}`, { ...parameter, shape: [n, k] }, device.target)
    tensor.placement = await weightBuffer(device, bytes, tensor.label)
    await fillRandom(device, tensor, tensor.label, [n, k])
    weights.push(tensor)
  }
  return weights
}

/** Relative distance from float64 sums of what the device holds. */
async function errorOf(
  g: Recorder,
  x: Float32Array,
  operand: Tensor,
  weight: Tensor,
  format: WeightFormat | undefined,
): Promise<number> {
  const [n, k] = weight.shape
  const y = linear(g, operand, { weight })
  const result = await g.read(y)
  g.release(y)
  const bytes = await device.download(weight.placement!.buffer, weight.bytes)
  const row = (j: number): ArrayLike<number> => {
    if (format) return dequantized(bytes, weight.size, format, j * k, k)
    if (weight.dtype === 'f32') return new Float32Array(bytes, 4 * j * k, k)
    return toFloat32(new Uint8Array(bytes, 2 * j * k, 2 * k), 'F16')
  }
  let [difference, norm] = [0, 0]
  for (let c = 0; c < COMPARED; c++) {
    const at = Math.floor(((c + 0.5) / COMPARED) * result.length)
    const [i, w] = [Math.floor(at / n), row(at % n)]
    let sum = 0
    for (let d = 0; d < k; d++) sum += x[i * k + d] * w[d]
    difference += (result[at] - sum) ** 2
    norm += sum ** 2
  }
  return Math.sqrt(difference / norm)
}
