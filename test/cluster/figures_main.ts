// npm run test:cluster-figures -- [--jobs 200] [--seconds 60] [--nodes 3]
// What the queue adds to a job, with a node that draws in no time, and what a cluster takes of a core while nobody asks.
// Exits with 1 where it is more than 50 ms a job, or 1%.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { queueOverhead } from './queue_overhead.ts'
import { startNats } from './support/nats_server.ts'
import { startNode } from './support/node_process.ts'

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '3' },
  },
})
const { env } = await chooseVulkan()
const server = await startNats()
const { median, worst, together } = await queueOverhead(server.url, Number(values.jobs))
console.log(
  `queue: ${median.toFixed(1)} ms a job one after the other (the median of ${values.jobs}; ${worst.toFixed(1)} ms the worst),`,
)
console.log(`       ${together.toFixed(1)} ms a job where all are there at once`)

const model = resolve('test/fixtures/golden/pipeline_pixart_sigma')
const nodes = Array.from({ length: Number(values.nodes) }, () =>
  startNode(server.url, ['--model', model], { ...process.env, ...env }),
)
await Promise.all(nodes.map(({ ready }) => ready))
await new Promise((resolve) => setTimeout(resolve, 5000))
const pids = [server.pid, ...nodes.map(({ child }) => child.pid!)]
const before = pids.map(cpuSeconds)
const began = performance.now()
await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000))
const passed = (performance.now() - began) / 1000
const shares = pids.map((pid, i) => (cpuSeconds(pid) - before[i]) / passed)
const total = shares.reduce((a, b) => a + b, 0)
const percent = (share: number) => `${(100 * share).toFixed(2)}%`
console.log(
  `idle:  ${percent(total)} of a core over ${passed.toFixed(0)} s: the server ${percent(shares[0])}, nodes ${shares.slice(1).map(percent).join(' ')}`,
)
for (const { child } of nodes) child.kill('SIGTERM')
const codes = await Promise.all(nodes.map(({ ended }) => ended))
await server.stop()
console.log(`nodes ended with ${codes.join(', ')}`)
process.exit(median <= 50 && together <= 50 && total <= 0.01 && codes.every((code) => code === 0) ? 0 : 1)

/** Of all its threads, in user and system mode (proc(5)). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks()
}

function ticks(): number {
  return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
}
