// npm run test:kill-cluster -- [--times 20] [--jobs 200] [--seed 1]
// Kills and cuts off nodes of a cluster on a small model at random moments, and the NATS server once. Exits with 1 where a job
// came twice, not at all, or with another picture than undisturbed.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Random } from '../fuzz/random.ts'
import { killTrial, undisturbed } from './kill_trial.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    jobs: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})
const [jobs, times] = [Number(values.jobs), Number(values.times)]
const random = new Random(Number(values.seed), 0)
const model = resolve('test/fixtures/golden/pipeline_pixart_sigma')
const { env } = await chooseVulkan()
Object.assign(process.env, env)
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const began = performance.now()
const trial = await killTrial({
  ...{ model, version, jobs, times, env: process.env },
  random: () => random.next(),
  onNote: (line) => console.log(line),
})
const seconds = (performance.now() - began) / 1000
const expected = await undisturbed(model, jobs)
const wrong = [...expected].filter(([prompt, digest]) => trial.pictures.get(prompt) !== digest)
for (const fault of trial.faults) console.error(fault)
for (const [prompt] of wrong) console.error(`${prompt} is another picture than undisturbed`)
const faults = trial.faults.length + wrong.length
console.log(`${jobs} jobs, nodes harmed ${times} times, in ${seconds.toFixed(0)} s: ${faults} faults`)
process.exit(faults > 0 ? 1 : 0)
