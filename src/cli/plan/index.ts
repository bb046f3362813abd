import { checkParallelConfig } from '../../parallel/config/check.ts'
import { type ParallelArgs, readParallelArgs } from '../../parallel/config/read_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { planMemory } from '../../pipelines/memory_plan/plan.ts'
import { measuredShapes } from '../../pipelines/mesh_plan/measured_shapes.ts'
import { planMeshes } from '../../pipelines/mesh_plan/plan_meshes.ts'
import { readCall } from '../../pipelines/request_flags.ts'
import { type DeviceTraits, traitsOf } from '../../runtime/paper_device.ts'
import { type CliIo, type Command, type DeviceChoice, type ParsedArgs, UsageError } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { GENERATE_OPTIONS } from '../generate/options.ts'
import { readModel, readOffload, readTextEncoders, readWeights } from '../generate/settings.ts'
import { countCards, machineOf } from './machine.ts'
import { meshPlanJson, meshPlanLines } from './mesh_report.ts'
import { MACHINE_OPTIONS } from './quantities.ts'
import { planLines } from './report.ts'

/** Flags of generate that change nothing about memory, or ask for files that nobody writes. */
const LEFT_OUT = ['seed', 'generator', 'latents', 'output_directory', 'profile', 'trace', 'compare', 'on_device_loss']

export const planCommand: Command = {
  name: 'plan',
  summary: 'tells what memory a picture takes, and how devices divide it best, before anything is loaded',
  usage: '[flags of generate]',
  description: `Loads and draws on paper: the whole of what generate would do, on a device whose buffers have sizes and no bytes.
Of the model's folder it reads the JSON files and the headers of the weights, which may be missing; it opens no GPU.
Without a prompt it plans for the longest. The exit code is 1 where the picture does not fit --memory or the device.
With --devices it ranks all ways to divide the picture among so many, or plans the one that degrees say.

  webdit plan --model ./PixArt-Sigma-XL-2-1024-MS --height 1024 --width 1024 --memory 24GiB
  webdit plan --prompt "red apple" --this_device
  webdit plan --model ./PixArt-Sigma-XL-2-1024-MS --devices 4 --link_bandwidth 2GB/s --explain`,
  options: [
    ...GENERATE_OPTIONS.filter((flag) => !LEFT_OUT.includes(flag.name)),
    ...MACHINE_OPTIONS,
    {
      name: 'explain',
      type: 'flag',
      help: 'With --devices: the formulas behind the numbers of the best mesh, and of one device.',
    },
    {
      name: 'this_device',
      type: 'flag',
      help: "Plan for this machine's device: open it, and ask for its limits and its tier. --adapter and --backend do so too. Default: a GPU with f16 and buffers up to 2 GiB, as most are.",
    },
    { name: 'json', type: 'flag', help: 'Print the plan as JSON, in bytes.' },
  ],
  needsDevice: asksDevice,

  async run(args, io) {
    const parallel = readParallelArgs(args)
    if (parallel.choose || sizeOf(parallel.config.degrees) > 1) return planForDevices(args, io, parallel)
    const prompts = args.texts('prompt')
    const choice = deviceChoice(args)
    const plan = await planMemory(readModel(args), prompts.length > 0 ? prompts : undefined, {
      memory: choice.memory,
      tier: choice.tier,
      ...(asksDevice(args) ? await askDevice(choice, io) : {}),
      variant: args.text('variant'),
      transformer: args.text('transformer'),
      textEncoders: readTextEncoders(args),
      offload: readOffload(args),
      weights: readWeights(args),
      levels: true,
      call: { ...readCall(args), signal: io.signal },
    })
    io.print(args.has('json') ? JSON.stringify(plan, null, 2) : planLines(plan).join('\n'))
    return plan.fits ? 0 : 1
  },
}

async function planForDevices(args: ParsedArgs, io: CliIo, { config, devices, choose }: ParallelArgs): Promise<number> {
  if (readOffload(args) !== 'none') {
    throw new UsageError(
      '--offload is given with devices, and plans of several count all weights at once',
      'Leave it out, or plan for one device.',
    )
  }
  const ranks = !choose ? sizeOf(config.degrees) : devices === 'auto' ? await countCards(args, io) : devices!
  if (!choose) checkParallelConfig(config, devices === 'auto' ? undefined : devices)
  const model = readModel(args)
  const call = { ...readCall(args), signal: io.signal }
  const measure = asksDevice(args) ? () => measuredShapes(model, call) : undefined
  const { machine, speeds } = await machineOf(args, ranks, measure)
  const prompts = args.texts('prompt')
  const plan = await planMeshes(model, prompts.length > 0 ? prompts : undefined, {
    devices: ranks,
    machine,
    speeds,
    config,
    tier: deviceChoice(args).tier,
    variant: args.text('variant'),
    transformer: args.text('transformer'),
    textEncoders: readTextEncoders(args),
    weights: readWeights(args),
    call,
  })
  io.print(args.has('json') ? meshPlanJson(plan) : meshPlanLines(plan, args.has('explain')).join('\n'))
  return plan.meshes.some(({ fits }) => fits) ? 0 : 1
}

function asksDevice(args: ParsedArgs): boolean {
  return ['this_device', 'adapter', 'backend'].some((name) => args.has(name))
}

/** What the device allows; where a CPU computes, its share of the memory as well. */
async function askDevice(choice: DeviceChoice, io: CliIo): Promise<{ device: DeviceTraits; memory?: number }> {
  const opened = await io.openDevice(choice)
  try {
    const { budget } = opened.device.arena
    return { device: traitsOf(opened.device), memory: Number.isFinite(budget) ? budget : undefined }
  } finally {
    opened.close()
  }
}
