import { PARALLEL_FLAGS } from '../../parallel/config/flags.ts'
import { planMemory } from '../../pipelines/memory_plan/plan.ts'
import { readCall } from '../../pipelines/request_flags.ts'
import { type DeviceTraits, traitsOf } from '../../runtime/paper_device.ts'
import type { CliIo, Command, DeviceChoice, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { GENERATE_OPTIONS } from '../generate/options.ts'
import { readModel } from '../generate/settings.ts'
import { planLines } from './report.ts'

/** Flags of generate that change nothing about memory, or ask for files that nobody writes. */
const LEFT_OUT = ['seed', 'generator', 'latents', 'output_directory', 'profile']

export const planCommand: Command = {
  name: 'plan',
  summary: 'tells what memory a picture takes, before anything is loaded',
  usage: '[flags of generate]',
  description: `Loads and draws on paper: the whole of what generate would do, on a device whose buffers have sizes and no bytes.
Of the model's folder it reads the JSON files and the headers of the weights, which may be missing; it opens no GPU.
Without a prompt it plans for the longest. The exit code is 1 where the picture does not fit --memory or the device.

  webdit plan --model ./PixArt-Sigma-XL-2-1024-MS --height 1024 --width 1024 --memory 24GiB
  webdit plan --prompt "red apple" --this_device`,
  options: [
    ...GENERATE_OPTIONS.filter((flag) => !LEFT_OUT.includes(flag.name) && !PARALLEL_FLAGS.includes(flag)),
    {
      name: 'this_device',
      type: 'flag',
      help: "Plan for this machine's device: open it, and ask for its limits and its tier. --adapter and --backend do so too. Default: a GPU with f16 and buffers up to 2 GiB, as most are.",
    },
    { name: 'json', type: 'flag', help: 'Print the plan as JSON, in bytes.' },
  ],
  needsDevice: asksDevice,

  async run(args, io) {
    const prompts = args.texts('prompt')
    const choice = deviceChoice(args)
    const plan = await planMemory(readModel(args), prompts.length > 0 ? prompts : undefined, {
      memory: choice.memory,
      tier: choice.tier,
      ...(asksDevice(args) ? await askDevice(choice, io) : {}),
      variant: args.text('variant'),
      call: { ...readCall(args), signal: io.signal },
    })
    io.print(args.has('json') ? JSON.stringify(plan, null, 2) : planLines(plan).join('\n'))
    return plan.fits ? 0 : 1
  },
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
