import type { Rooms } from '../../cluster/rooms.ts'
import { PARALLEL_FLAGS } from '../../parallel/config/flags.ts'
import { checkImages } from '../../pipelines/input_images.ts'
import { checkOwnOptions } from '../../pipelines/own_options.ts'
import { REQUEST_FLAGS } from '../../pipelines/request_flags.ts'
import { stepCacheOf } from '../../pipelines/step_cache.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { clusterModel, type FoundModel, noteNodes, refuseFlagsOfNodes } from '../node/cluster_model.ts'
import { withCluster } from '../node/with_cluster.ts'
import { VERSION } from '../package_info.ts'
import type { Drawing } from './drawing.ts'
import { IMAGE_OPTIONS, readImageCall } from './image_file.ts'
import { latentsSize, readLatents } from './latents_file.ts'
import { drawOnHosts, hostsMesh } from './on_hosts.ts'
import { GENERATE_OPTIONS } from './options.ts'
import { prepareOutputDirectory } from './output_files.ts'
import { duration, StepProgress } from './progress.ts'
import { draw, write } from './session.ts'
import { readSettings } from './settings.ts'

/** What of `generate` a request says. */
const OWN = [...REQUEST_FLAGS, ...IMAGE_OPTIONS, ...PARALLEL_FLAGS]
  .map(({ name }) => name)
  .concat('output_directory', 'latents')
const OF_NODES = GENERATE_OPTIONS.map(({ name }) => name).filter(
  (name) => !OWN.includes(name) || ['random_weights', 'variant', 'workers'].includes(name),
)

/** `generate` where the nodes of a cluster draw: a job for each prompt, or all with ranks of several machines. */
export async function generateOnCluster(args: ParsedArgs, io: CliIo): Promise<void> {
  refuseFlagsOfNodes(args, OF_NODES)
  // The name of the model is the cluster's to know.
  const asked = readSettings({ ...args, text: (name) => args.text(name) ?? (name === 'model' ? '' : undefined) })
  const latents = asked.latentsFile === undefined ? undefined : await readLatents(asked.latentsFile)
  const call = { ...asked.call, ...(await readImageCall(args)) }
  checkImages({ ...call, latents: latents?.data }, asked.prompts.length)
  await prepareOutputDirectory(asked.outputDirectory)
  await withCluster(args, 'webdit generate', async (rooms) => {
    const model = await clusterModel(args, rooms)
    const { name, facts, weights, loras } = model
    checkOwnOptions(facts.className, facts.family, call)
    stepCacheOf(facts.className, facts.family, call)
    const size = latents && latentsSize(latents, facts.scale, call)
    const config = await hostsMesh(args, model, { ...call, ...size })
    const drawing = config ? await drawOnHosts(rooms, model, config, io) : await drawAsJobs(rooms, model, io)
    const session = { settings: { ...asked, call, model: name, weights, loras }, latents, io }
    try {
      await drawAndWrite(session, drawing)
    } finally {
      await drawing.close()
    }
  })
}

/** A job for each prompt. */
async function drawAsJobs(rooms: Rooms, model: FoundModel, io: CliIo): Promise<Drawing> {
  const { Caller } = await import('../../cluster/jobs/caller.ts')
  const { drawOnCluster } = await import('../../cluster/drawing.ts')
  noteNodes(model, io)
  const caller = new Caller(rooms, VERSION)
  return {
    facts: model.facts,
    device: undefined,
    draw: (prompts, call, onStep) =>
      drawOnCluster(caller, model.digest, prompts, {
        ...call,
        signal: io.signal,
        onStep: (info) => onStep(info.step, info.steps, info),
      }),
    close: () => caller.close(),
  }
}

async function drawAndWrite(session: Parameters<typeof write>[0] & Parameters<typeof draw>[0], drawing: Drawing) {
  const { io } = session
  const began = performance.now()
  const progress = new StepProgress(io)
  io.status('waiting for a node')
  const output = await draw(session, drawing, (step, steps) => progress.update(step, steps))
  for (const warning of output.warnings) io.note(`warning: ${warning}`)
  const count = output.latents.shape[0]
  io.note(`drew ${count} ${count === 1 ? 'picture' : 'pictures'} in ${duration((performance.now() - began) / 1000)}`)
  await write(session, drawing, output)
}
