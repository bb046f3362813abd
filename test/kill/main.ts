// npm run test:kill -- [--trials 20] [--seed 1] [--signal SIGKILL|SIGSTOP]
// Kills (or stops) a random rank of a team of processes at a random moment of a picture, again and again. Each time an error
// must name that rank within ten seconds, and no process may be left. Prints a table; exits with 1 where a trial failed.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Random } from '../fuzz/random.ts'
import { Table } from '../mesh/table.ts'
import { killTrial, MESHES } from './trial.ts'

/** A stopped rank is given ten seconds without a sign of life, and half a second to be noticed. */
const LIMIT = 10.5

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    signal: { type: 'string', default: 'SIGKILL' },
  },
})
const { signal } = values
if (signal !== 'SIGKILL' && signal !== 'SIGSTOP') throw new Error(`--signal ${signal}: SIGKILL or SIGSTOP`)
await ensureVulkan()
const model = process.env.WEBDIT_MODEL ?? fileURLToPath(new URL('../../models/emoji-pixart/', import.meta.url))
const worker = process.env.WEBDIT_RANK ? new URL(process.env.WEBDIT_RANK) : undefined
const random = new Random(Number(values.seed), 0)
const table = new Table(['trial', 'mesh', 'rank', 'step', 'ms', 's to the error', 'error'])
console.log(String(table))
let [failed, slowest] = [0, 0]
for (let trial = 1; trial <= Number(values.trials); trial++) {
  const config = MESHES[trial % MESHES.length]
  const result = await killTrial({ model, config, signal, random: () => random.next(), worker })
  const { rank, step, after, seconds, message, left } = result
  slowest = Math.max(slowest, seconds)
  const mesh = Object.entries(config.degrees)
    .find(([, degree]) => degree > 1)!
    .join(' ')
  const named = message.startsWith(`rank ${rank}`)
  if (!named || !(seconds <= LIMIT) || left.length > 0) failed++
  const more = left.length > 0 ? `, and processes ${left.join()} are left` : ''
  console.log(table.add([trial, mesh, rank, step, after, seconds.toFixed(2), `${message}${more}`]))
}
console.log(
  `\n${values.trials} trials with ${signal}: ${failed} failed, the slowest error after ${slowest.toFixed(2)} s`,
)
process.exit(failed > 0 ? 1 : 0)
