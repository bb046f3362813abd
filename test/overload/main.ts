// npm run test:overload -- [--seconds 60] [--times 10] [--seed 1] [--queue 16]
// Starts `webdit serve` on a small model, measures what it can do, and asks it for that many times as much. Every answer must be
// a picture, or a 429 that says when to come again; afterwards its memory must be what it was. Exits with 1 where it is not so.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Random } from '../fuzz/random.ts'
import { capacity, counts, figure, overload } from './load.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    times: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    queue: { type: 'string', default: '16' },
  },
})
const [seconds, times] = [Number(values.seconds), Number(values.times)]

/** How much more memory may be held afterwards. */
const MOST_GROWTH = 0.1
/** Seconds in which a server is to be as before. */
const CALM = 10
/** Of the clients, those that hang up. */
const HANG_UPS = 0.1

const MODEL = resolve('test/fixtures/golden/pipeline_pixart_sigma')

/** Lets go of garbage when it is told to: else what is measured is when V8 last did. */
const COLLECTING = `import v8 from 'node:v8'; import vm from 'node:vm'; v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc'); process.on('SIGUSR2', () => { gc(); gc() })`

const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(COLLECTING)}`
const server = spawn(
  process.execPath,
  [resolve('dist/cli.js'), 'serve', '--port', '0', '--queue', values.queue, '--model', MODEL],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...(await chooseVulkan()).env, NODE_OPTIONS } },
)
process.on('exit', () => server.kill())
const address = await new Promise<string>((found, failed) => {
  server.stdout.on('data', (line) => found(String(line).trim()))
  server.on('exit', (code) => failed(new Error(`the server ended with ${code}`)))
})

/** MiB that the server's process holds, without garbage. */
async function mebibytes(): Promise<number> {
  server.kill('SIGUSR2')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return (await figure(address, 'process_resident_memory_bytes')) / 2 ** 20
}
const random = new Random(Number(values.seed), 0)
const load = (rate: number, length: number) =>
  overload(address, { rate, seconds: length, hangUps: HANG_UPS, random: () => random.next() })

await capacity(address, 3, 4) // compiles
const rate = await capacity(address, 5, 8)
// A short burst first: what is allocated once, for connections and batches of all sizes, is no leak.
await load(times * rate, Math.min(5, seconds))
await new Promise((resolve) => setTimeout(resolve, CALM * 1000))
const before = await mebibytes()
console.log(
  `it draws ${rate.toFixed(1)} pictures a second, and is asked for ${(times * rate).toFixed(0)} for ${seconds} s`,
)

const answers = await load(times * rate, seconds)
await new Promise((resolve) => setTimeout(resolve, CALM * 1000))
const after = await mebibytes()

const slowest = Math.max(...answers.filter(({ status }) => status === 200).map(({ seconds }) => seconds))
const faults = answers.filter(({ fault }) => fault !== undefined)
const left = (await figure(address, 'webdit_queue_pictures')) + (await figure(address, 'webdit_drawing_pictures'))
const { 200: drawn = 0, 429: refused = 0, '-1': hungUp = 0, ...others } = counts(answers)
const growth = after / before - 1
console.log(
  `${answers.length} requests: ${drawn} pictures (${(drawn / seconds).toFixed(1)} a second, the slowest after ` +
    `${slowest.toFixed(1)} s), ${refused} times 429 with Retry-After, ${hungUp} hung up, others: ${JSON.stringify(others)}`,
)
console.log(
  `memory: ${before.toFixed(0)} MiB before, ${after.toFixed(0)} ${CALM} s after it ` +
    `(${growth < 0 ? '' : '+'}${(100 * growth).toFixed(1)} %); ${left} pictures left in the queue or on the device`,
)
for (const { status, fault } of faults.slice(0, 10)) console.error(`${status}: ${fault}`)
const holds =
  faults.length === 0 && Object.keys(others).length === 0 && left === 0 && growth <= MOST_GROWTH && drawn > 0
console.log(holds ? 'it holds' : 'IT DOES NOT HOLD')
process.exit(holds ? 0 : 1)
