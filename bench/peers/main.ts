// npm run bench -- peers [--tokens 4608] [--width 3072] [--heads 24] [--turns 20] [--tier f32|f16|matrix]
// A linear layer, self-attention and a block of a diffusion transformer by webdit, by onnxruntime's WebGPU provider (where
// `npm install --no-save onnxruntime-node` was) and by PyTorch (where python3 has it), one after the other on this machine.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { blockRow } from '../../src/cli/bench/device/block.ts'
import { attentionRow, linearRow } from '../../src/cli/bench/device/kernels.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { onnxruntimeTimes } from './onnxruntime.ts'
import { flopOf, type Shapes, type Times } from './shapes.ts'

await ensureVulkan()
const { values } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string' },
    width: { type: 'string' },
    heads: { type: 'string' },
    turns: { type: 'string', default: '20' },
    tier: { type: 'string' },
    onnxruntime: { type: 'string', default: 'onnxruntime-node' },
    python: { type: 'string', default: 'python3' },
  },
})
const device = await Device.open(await openPlatform(), { tier: values.tier as 'f32' | 'f16' | 'matrix' | undefined })
const [tokens, width, heads] = device.target.software ? [128, 320, 5] : [4608, 3072, 24]
const shapes: Shapes = {
  tokens: Number(values.tokens ?? tokens),
  width: Number(values.width ?? width),
  heads: Number(values.heads ?? heads),
}
const turns = Number(values.turns)
const element = device.tier === 'f32' ? 'f32' : 'f16'

console.log(
  `${device.name}, tier ${device.tier}; ${shapes.tokens} x ${shapes.width}, ${shapes.heads} heads; medians of ${turns}`,
)
const webdit = await ours()
device.close()
const columns: [string, Times][] = [
  ['webdit', webdit],
  [
    `onnxruntime (WebGPU, ${element})`,
    await tried('onnxruntime', () => onnxruntimeTimes(shapes, element, turns, values.onnxruntime)),
  ],
  ['PyTorch', await tried('PyTorch', async () => torchTimes())],
]
const flop = flopOf(shapes)
console.log(`| | ${columns.map(([name]) => name).join(' | ')} |\n| --- |${' --- |'.repeat(columns.length)}`)
for (const what of ['linear', 'attention', 'block'] as const) {
  const cells = columns.map(([, times]) => {
    const seconds = times[what]
    if (seconds === undefined) return ''
    const ratio = times === webdit ? '' : `, webdit ${(seconds / webdit[what]!).toPrecision(3)} times as fast`
    return `${(1000 * seconds).toPrecision(3)} ms, ${(flop[what] / seconds / 1e12).toPrecision(3)} TFLOP/s${ratio}`
  })
  console.log(`| ${what} | ${cells.join(' | ')} |`)
}
process.exit(0)

async function ours(): Promise<Times> {
  const watch = { device, g: new Recorder(device), turns, signal: new AbortController().signal }
  const linear = await linearRow(watch, shapes.tokens, 4 * shapes.width, shapes.width)
  const attention = await attentionRow(watch, shapes.heads, shapes.tokens, shapes.width / shapes.heads)
  const block = await blockRow(watch, shapes)
  return { linear: linear.seconds, attention: attention.seconds, block: block.seconds }
}

function torchTimes(): Times {
  const program = join(process.cwd(), 'bench/peers/torch_peer.py')
  const args = [program, ...[shapes.tokens, shapes.width, shapes.heads, turns].map(String)]
  const { status, stdout, stderr, error } = spawnSync(values.python, args, { encoding: 'utf8' })
  if (error || status !== 0) throw error ?? new Error(stderr.trim().split('\n').at(-1))
  console.log(stderr.trim())
  return JSON.parse(stdout)
}

async function tried(name: string, times: () => Promise<Times>): Promise<Times> {
  try {
    return await times()
  } catch (error) {
    console.log(`${name} was not measured: ${(error as Error).message.split('\n')[0]}`)
    return {}
  }
}
