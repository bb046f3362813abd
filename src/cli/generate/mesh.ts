import { configFlags } from '../../parallel/config/config_flags.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { readParallelArgs } from '../../parallel/config/read_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import type { PlannedMesh } from '../../parallel/planner/rank_meshes.ts'
import { measuredShapes } from '../../pipelines/mesh_plan/measured_shapes.ts'
import { planMeshes } from '../../pipelines/mesh_plan/plan_meshes.ts'
import type { TeamKind } from '../../pipelines/team/start_team.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { countCards, machineOf } from '../plan/machine.ts'
import type { Settings } from './settings.ts'

/** Whether ranks draw together, and how. */
export interface Mesh {
  /** None where one device draws. */
  readonly config: ParallelConfig | undefined
  readonly devices: number | undefined
  readonly workers: TeamKind | undefined
  /** What was predicted of it, where webdit chose. */
  readonly planned?: PlannedMesh
}

/** What a mesh is planned for. */
type Planned = Pick<Settings, 'model' | 'prompts' | 'call' | 'variant' | 'transformer' | 'textEncoders'>

/**
 * What the command line says of ranks. Where it says how many and not how they divide the work, they are measured and the
 * mesh that is predicted to be fastest is taken, of those that draw what one device draws.
 */
export async function meshOf(args: ParsedArgs, settings: Planned, io: CliIo): Promise<Mesh> {
  const { config, devices, choose, workers } = readParallelArgs(args)
  const ranks = devices === 'auto' ? (choose ? await countCards(args, io) : undefined) : devices
  if (choose && ranks! > 1) return { ...(await chosen(args, settings, io, ranks!, config)), workers }
  const plain = sizeOf(config.degrees) === 1 && config.numPipelinePatch === ON_ONE_DEVICE.numPipelinePatch
  return { config: plain && workers === undefined ? undefined : config, devices: ranks, workers }
}

async function chosen(
  args: ParsedArgs,
  { model, prompts, call, variant, transformer, textEncoders }: Planned,
  io: CliIo,
  devices: number,
  config: ParallelConfig,
): Promise<Omit<Mesh, 'workers'>> {
  const { machine, speeds } = await machineOf(args, devices, () => measuredShapes(model, call))
  const { tier } = deviceChoice(args)
  const { meshes, oneDevice } = await planMeshes(model, prompts, {
    devices,
    machine,
    speeds,
    config,
    tier,
    variant,
    transformer,
    textEncoders,
    call,
  })
  const planned = meshes.find(({ exact }) => exact) ?? meshes[0]
  const gain = (mesh: PlannedMesh) => (oneDevice.denoising / mesh.denoising).toFixed(2)
  io.note(`mesh: ${configFlags(planned.config)}, predicted ${gain(planned)} times as fast as one device`)
  const [best] = meshes
  if (!best.exact && best.denoising < planned.denoising) {
    io.note(`${configFlags(best.config)} would be ${gain(best)} times as fast, and change the picture a little`)
  }
  return { config: planned.config, devices, planned }
}
