// node site/memory_table.mjs: writes what `webdit plan` says into docs/memory.md.  Needs dist/cli.js: npm run build.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PAGE = fileURLToPath(new URL('../docs/memory.md', import.meta.url))
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const MARKS = ['<!-- written by site/memory_table.mjs -->', '<!-- to here -->']

/** Published shapes, and their names for people. */
const MODELS = {
  'flux.1-dev': 'FLUX.1-dev',
  'sd3.5-large': 'SD3.5 Large',
  'sd3.5-medium': 'SD3.5 Medium',
  'sd3-medium': 'SD3 Medium',
  hunyuandit: 'HunyuanDiT 1.2',
  'pixart-sigma': 'PixArt-Σ XL 2',
}

const SIZE = ['--height', '1024', '--width', '1024', '--memory', '80GiB']
const sharded = ['--shard_dit', '--shard_t5_encoder']

/** Heading, flags, and where a plan has the bytes of a device, for one device and for four. */
const ALONE = [
  ['f16', [], ({ weightsAndActivations }) => weightsAndActivations],
  ['`--offload components`', [], ({ levels }) => levelOf(levels, 'components')],
  ['`--offload blocks`', [], ({ levels }) => levelOf(levels, 'blocks')],
  ['`--weights int4`', ['--weights', 'int4'], ({ weightsAndActivations }) => weightsAndActivations],
]
const FOUR = [
  ['ulysses or ring', ['--ulysses_degree', '4']],
  ['tensor', ['--tensor_parallel_degree', '4']],
  ['PipeFusion', ['--pipefusion_parallel_degree', '4']],
  ['PipeFusion, encoders shared', ['--pipefusion_parallel_degree', '4', '--shard_t5_encoder']],
  ['ulysses, all shared', ['--ulysses_degree', '4', ...sharded]],
].map(([heading, flags]) => [heading, ['--devices', '4', ...flags], ({ meshes }) => meshes[0].memory.bytes])

const levelOf = (levels, name) => levels.find(({ offload }) => offload === name).weightsAndActivations

const plans = new Map()

/** The plan of a model, made once for all columns. */
function plan(model, flags) {
  const key = [model, ...flags].join(' ')
  if (!plans.has(key)) plans.set(key, runPlan(model, flags))
  return plans.get(key)
}

async function runPlan(model, flags) {
  // Exit code 1 says that it does not fit the 80 GiB.
  const args = [CLI, 'plan', '--model', model, '--random_weights', ...SIZE, ...flags, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error)
  return JSON.parse(stdout)
}

async function table(columns) {
  const rows = [
    ['', ...columns.map(([heading]) => heading)],
    ['---', ...columns.map(() => '---:')],
  ]
  for (const [model, name] of Object.entries(MODELS)) {
    const cells = []
    for (const [, flags, bytesIn] of columns) cells.push((bytesIn(await plan(model, flags)) / 2 ** 30).toFixed(1))
    rows.push([name, ...cells])
  }
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

const text = [
  'GiB on a device, weights and activations at most, for a picture of 1024 x 1024 pixels in tier `f16`.',
  '**One device:**',
  await table(ALONE),
  '**Each of four devices**, the one that needs most:',
  await table(FOUR),
].join('\n\n')
const page = readFileSync(PAGE, 'utf8')
const [from, to] = MARKS.map((mark) => page.indexOf(mark))
if (from < 0 || to < from) throw new Error(`${PAGE} lacks the marks ${MARKS.join(' and ')}`)
writeFileSync(PAGE, `${page.slice(0, from + MARKS[0].length)}\n\n${text}\n\n${page.slice(to)}`)
console.log(`docs/memory.md: ${Object.keys(MODELS).length} models`)
