// npm run test:survive -- [--ranks 4] [--steps 20] [--fault lost|fill|hang|kill|stop] [--seed 1] [--every 1]
// Lets a device be lost (or fill up, or hang), or a rank's process end or hang, in each step of a picture. Each time the
// picture must be finished, the same as without, with at most one step done again. Prints a table; exits with 1 where a
// trial failed.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { losableDevice } from '../faults/inject.ts'
import { Random } from '../fuzz/random.ts'
import { Table } from '../mesh/table.ts'
import { relativeL2 } from '../support/numbers.ts'
import { config, FAULTS, type Fault, surviveTrial, type Victim, victimTeam } from './trial.ts'

const { values } = parseArgs({
  options: {
    ranks: { type: 'string', default: '4' },
    steps: { type: 'string', default: '20' },
    fault: { type: 'string', default: 'lost' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
  },
})
const fault = FAULTS.find((one) => one === values.fault)
if (!fault) throw new Error(`--fault ${values.fault}: ${FAULTS.join(', ')}`)
const [ranks, steps, every] = [Number(values.ranks), Number(values.steps), Number(values.every)]
const meshes: Record<number, Parameters<typeof config>[0]> = {
  2: { ulysses: 2 },
  3: { ring: 3 },
  4: { cfg: 2, ulysses: 2 },
}
if (ranks !== 1 && !meshes[ranks]) throw new Error(`--ranks ${ranks}: 1 to 4`)
if (ranks === 1 && fault !== 'lost') throw new Error(`--fault ${fault} strikes one of several ranks`)
await ensureVulkan()

const model = process.env.WEBDIT_MODEL ?? fileURLToPath(new URL('../../models/emoji-pixart/', import.meta.url))
const worker = new URL(process.env.WEBDIT_RANK ?? '../faults/faulty_rank.mjs', import.meta.url)
const call = { height: 64, width: 64, numInferenceSteps: steps, seed: 1 } as const
const random = new Random(Number(values.seed), 0)

/** One device in this process. */
async function victimAlone(): Promise<Victim> {
  let current = await losableDevice({ tier: 'f32' })
  const reopen = async () => {
    current = await losableDevice({ tier: 'f32' })
    return current.device
  }
  const pipe = await DiffusionPipeline.fromPretrained(model, { device: current.device, reopen })
  return {
    run: (prompt, { loras: _, ...options }) => pipe(prompt, options),
    strike: () => current.lose(),
    size: 1,
    close: async () => {
      pipe.dispose()
      current.device.close()
    },
  }
}

/** What one device draws that nothing happens to. */
async function undisturbed(): Promise<PipelineOutput> {
  const { device } = await losableDevice({ tier: 'f32' })
  const pipe = await DiffusionPipeline.fromPretrained(model, { device })
  const output = await pipe('red apple', call)
  pipe.dispose()
  device.close()
  return output
}

const start = (chosen: Fault) =>
  ranks === 1 ? victimAlone() : victimTeam(model, config(meshes[ranks]), chosen, worker)

const expected = await undisturbed()
const table = new Table([
  'step',
  'rank',
  'ms',
  'goes on after',
  'ranks',
  's to the next step',
  'done again',
  'relative L2',
])
console.log(String(table))
let [failed, trials, slowest] = [0, 0, 0]
let victim = await start(fault)
for (let fatal = 1; fatal <= steps; fatal += every) {
  const [rank, after] = [Math.floor(random.next() * victim.size), Math.floor(random.next() * 30)]
  const result = await surviveTrial(victim, { call, fatal, after, rank })
  const distance = relativeL2(result.output.latents.data, expected.latents.data)
  const [news] = result.resumed
  const inOrder = result.steps.length === steps && result.steps.every((step, i) => step === i + 1)
  // A rank that computes the last step may have nothing to do any more when it hears of the blow.
  const met = news !== undefined || fatal >= steps - 1
  const right = inOrder && met && result.again <= 1 && distance <= (ranks === 1 ? 0 : 2e-5)
  trials++
  if (!right) failed++
  slowest = Math.max(slowest, result.seconds)
  const [seconds, on] = [result.seconds.toFixed(2), news ? `step ${news.step}` : 'not struck']
  console.log(table.add([fatal, rank, after, on, victim.size, seconds, result.again, distance.toExponential(1)]))
  if (victim.size < ranks) {
    await victim.close()
    victim = await start(fault)
  }
}
await victim.close()
console.log(
  `\n${trials} trials with ${fault} on ${ranks} ${ranks === 1 ? 'rank' : 'ranks'}: ${failed} failed, the slowest went on after ${slowest.toFixed(2)} s`,
)
process.exit(failed > 0 ? 1 : 0)
