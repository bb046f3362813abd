// npm run bench -- [--only linear|attention|conv|picture[,…]] [--tier f32|f16] [--num_iterations N] [--warmup_calls N] [--json]
// Every benchmark first compares its kernels with the host, then times them in turns, so that what else the machine
// does falls on all alike.
import { parseArgs } from 'node:util'
import { Device } from '../src/runtime/device.ts'
import { DitError } from '../src/runtime/errors.ts'
import { openPlatform } from '../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../src/runtime/platform/software_vulkan.node.ts'
import { attentionBenchmark } from './attention.ts'
import { convBenchmark } from './conv.ts'
import { linearBenchmark } from './linear.ts'
import { pictureBenchmark } from './picture.ts'
import { type Benchmark, printTable, type Row } from './race.ts'

const BENCHMARKS: Record<string, Benchmark> = {
  linear: linearBenchmark,
  attention: attentionBenchmark,
  conv: convBenchmark,
  picture: pictureBenchmark,
}

const { why } = await ensureVulkan()
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    num_iterations: { type: 'string', default: '15' },
    warmup_calls: { type: 'string', default: '2' },
    tier: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const names = values.only?.split(',') ?? Object.keys(BENCHMARKS)
const [iterations, warmup] = [Number(values.num_iterations), Number(values.warmup_calls)]
const unknown = names.find((name) => !(name in BENCHMARKS))
if (unknown) fail(`--only ${unknown}: there are ${Object.keys(BENCHMARKS).join(', ')}`)
if (!(Number.isInteger(iterations) && iterations > 0))
  fail(`--num_iterations ${values.num_iterations}: expected 1 or more`)
if (!(Number.isInteger(warmup) && warmup >= 0)) fail(`--warmup_calls ${values.warmup_calls}: expected 0 or more`)
const { tier } = values
if (tier !== undefined && tier !== 'f32' && tier !== 'f16') fail(`--tier ${tier}: there are f32, f16`)

const device = await Device.open(await openPlatform(), { tier }).catch((error) => {
  fail(error instanceof DitError ? `${error.message}\n  ${error.hint}` : String(error))
})
if (!values.json) console.log(`${device.name}, tier ${device.tier} (${why})`)
const rows: Row[] = []
for (const name of names) {
  const found = await BENCHMARKS[name](device, { iterations, warmup })
  rows.push(...found)
  if (!values.json) printTable(found)
}
if (values.json) console.log(JSON.stringify({ device: device.name, tier: device.tier, iterations, rows }, null, 2))
// A result that is wrong has no speed.
process.exit(rows.every((row) => row.error < row.tolerance) ? 0 : 1)

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
