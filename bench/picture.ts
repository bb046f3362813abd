// The whole picture: the embedded model at 128 x 128, 20 steps with guidance, from a prompt to pixels. The plain kernel
// beside it is one output a thread at the shape of the model's largest layer: the speed that all of the picture would
// have if every product were computed so.
import { relative, relativeL2 } from '../src/cli/verify/compare.ts'
import { halfTolerance, readHalfErrors } from '../src/cli/verify/float16.ts'
import { DiffusionPipeline } from '../src/pipelines/diffusion_pipeline.ts'
import type { Tier } from '../src/runtime/kernel.ts'
import { openFolder } from '../src/runtime/weights/folder_source.node.ts'
import { readSafetensorsHeader, readTensor } from '../src/runtime/weights/safetensors.ts'
import { naive } from './kernels/linear/1_naive.wgsl.ts'
import { type Benchmark, type Row, race, random } from './race.ts'

const STEPS = 20
const CALL = { numInferenceSteps: STEPS, guidanceScale: 4.5, height: 128, width: 128 }

/** Floating-point operations of the picture's matrix products, attention and convolutions. */
function pictureFlop(): { denoise: number; decode: number } {
  const [width, layers, tokens, batch, heads] = [320, 8, 64, 2, 10]
  // q, k, v and out of the self-attention, q and out of the cross-attention, and 2 x 4 of the feed-forward.
  const block = 2 * batch * tokens * width * width * (4 + 2 + 8)
  const attention = 4 * batch * heads * tokens * tokens * (width / heads)
  // Convolutions 3x3 of the decoder by side, in and out channels.
  const convolutions: [side: number, input: number, out: number, count: number][] = [
    [16, 8, 128, 1],
    [16, 128, 128, 8],
    [32, 128, 128, 5],
    [64, 128, 128, 1],
    [64, 128, 64, 1],
    [64, 64, 64, 3],
    [128, 64, 64, 1],
    [128, 64, 32, 1],
    [128, 32, 32, 3],
    [128, 32, 3, 1],
  ]
  const decode = convolutions.reduce(
    (sum, [side, input, out, count]) => sum + 18 * side * side * input * out * count,
    0,
  )
  return { denoise: STEPS * layers * (block + attention), decode }
}

/** What the latents may be off; in f16 as much as `webdit verify` allows, which diffusers in float16 sets. */
async function pictureTolerance(folder: string, tier: Tier): Promise<number> {
  const wide = relative(1e-5)
  if (tier === 'f32') return wide.limit
  const measured = await readHalfErrors(`${folder}/golden`, 'red-apple')
  return halfTolerance(wide, measured?.main[`latents_step_${STEPS}`]).limit
}

export const pictureBenchmark: Benchmark = async (device, { iterations, warmup }) => {
  const folder = 'models/emoji-pixart' // npm runs scripts in the repository's root
  const source = await openFolder(folder)
  const golden = await readSafetensorsHeader(source, 'golden/red-apple.safetensors')
  const tensor = async (name: string) => (await readTensor(source, golden, name)).data as Float32Array
  const [latents, expected] = [await tensor('initial_latents'), await tensor(`latents_step_${STEPS}`)]
  await source.close()

  const [m, n, k] = [128, 1280, 320]
  const inputs = { x: { data: random(m * k), shape: [m, k] }, w: { data: random(n * k), shape: [n, k] } }
  const host = Float64Array.from({ length: m * n }, (_, i) => {
    let sum = 0
    for (let d = 0; d < k; d++) sum += inputs.x.data[Math.floor(i / n) * k + d] * inputs.w.data[(i % n) * k + d]
    return sum
  })
  const what = `picture 128 x 128, ${STEPS} steps`
  const plain = { what, inputs, expected: host, flop: 2 * m * n * k, contestants: [naive] }
  const [reference] = await race(device, plain, { iterations: 3, warmup: 1 })

  const pipe = await DiffusionPipeline.fromPretrained(folder, { device })
  const draw = async () => {
    const start = performance.now()
    const out = await pipe('red apple', { ...CALL, latents })
    return { time: performance.now() - start, error: relativeL2(out.latents.data, expected) }
  }
  // The first compiles and warms up. On a CPU a picture takes its time: two to measure are enough there.
  const few = device.target.software
  const first = await draw()
  for (let i = 1; i < (few ? 1 : warmup); i++) await draw()
  const runs = []
  for (let i = 0; i < (few ? Math.min(iterations, 2) : iterations); i++) runs.push(await draw())
  pipe.dispose()
  const times = runs.map(({ time }) => time).sort((a, b) => a - b)
  const [median, min] = [times[times.length >> 1], times[0]]
  const { denoise, decode } = pictureFlop()
  const gflops = (ms: number) => (denoise + decode) / ms / 1e6
  const row: Row = {
    what,
    kernel: 'the picture',
    error: Math.max(first.error, ...runs.map(({ error }) => error)),
    tolerance: await pictureTolerance(folder, device.tier),
    median,
    min,
    gflops: gflops(median),
    best: gflops(min),
    ratio: gflops(median) / reference.gflops,
    compile: first.time,
  }
  return [{ ...reference, kernel: '1 naive, the largest linear' }, row]
}
