// deno run -A team_program.ts: two ranks in workers draw together, then one device alone; prints how far they are apart, as JSON.
import { fileURLToPath } from 'node:url'
import { ON_ONE_DEVICE } from '../../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { startTeam } from '../../../src/pipelines/team/start_team.ts'
import type { DitError } from '../../../src/runtime/errors.ts'
import { ensureVulkan } from '../../../src/runtime/platform/software_vulkan.node.ts'
import { relativeL2 } from '../../support/numbers.ts'

await ensureVulkan()
const model = fileURLToPath(new URL('../../../models/emoji-pixart/', import.meta.url))
const call = { height: 64, width: 64, seed: 7, numInferenceSteps: 4, outputType: 'latent' } as const
const config = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: 2 }, shardDit: true }
const team = await startTeam(model, config, { tier: 'f32' })
const { latents } = await team.run('red apple', call)
const sent = (await team.sent()).map((tags) => [...tags.keys()].sort())
const refused = await team.run('red apple', { ...call, height: 100 }).catch((error: DitError) => error.kind)
await team.close()
const pipe = await DiffusionPipeline.fromPretrained(model, { tier: 'f32' })
const alone = await pipe('red apple', call)
pipe.dispose()
const distance = relativeL2(latents.data, alone.latents.data)
console.log(JSON.stringify({ distance, sent, refused, pids: team.pids }))
