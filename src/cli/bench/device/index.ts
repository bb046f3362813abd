import type { Device } from '../../../runtime/device.ts'
import { Recorder } from '../../../runtime/recorder.ts'
import { type CliIo, type Command, type ParsedArgs, UsageError } from '../../command.ts'
import { DEVICE_OPTIONS, deviceChoice } from '../../device_options.ts'
import { type BlockShape, blockRow } from './block.ts'
import { attentionRow, convRow, linearRow, normRow } from './kernels.ts'
import { measureLimits } from './limits.ts'
import { type Row, tableOf } from './row.ts'
import type { Stopwatch } from './stopwatch.ts'

const SIZES = ['full', 'small'] as const
type Sizes = (typeof SIZES)[number]

const OPTIONS: Command['options'] = [
  ...DEVICE_OPTIONS,
  {
    name: 'sizes',
    type: 'text',
    value: SIZES.join('|'),
    help: 'full: those of models at 1024 x 1024; small: those of the embedded model. Default: full on a GPU, small where the CPU computes.',
  },
  { name: 'turns', type: 'number', value: 'N', help: 'Batches whose median counts. Default: 20.' },
  { name: 'json', type: 'flag', help: 'Print what was measured as JSON.' },
]

const DESCRIPTION = `Each line tells the median time, the floating-point operations it comes to, their speed and its share of what this
device multiplies in registers alone, the bytes of operands and results and their share of what it copies`

type Measure = (watch: Stopwatch) => Promise<Row>

/** By size: [rows, columns, depth], [heads, tokens, values], [side, channels], [rows, columns]. */
const KERNELS: Record<Sizes, readonly Measure[]> = {
  full: [
    ...[
      [4608, 12288, 3072],
      [4608, 3072, 12288],
      [4608, 3072, 3072],
      [512, 3072, 3072],
      [1, 18432, 3072],
    ].map(
      ([rows, columns, depth]): Measure =>
        (watch) =>
          linearRow(watch, rows, columns, depth),
    ),
    ...[
      [24, 4608, 128],
      [24, 4429, 64],
      [16, 4096, 72],
      [1, 16384, 512],
    ].map(
      ([heads, tokens, dim]): Measure =>
        (watch) =>
          attentionRow(watch, heads, tokens, dim),
    ),
    ...[
      [128, 512],
      [1024, 128],
    ].map(
      ([side, channels]): Measure =>
        (watch) =>
          convRow(watch, side, channels),
    ),
    (watch) => normRow(watch, 4608, 3072),
  ],
  small: [
    (watch) => linearRow(watch, 128, 1280, 320),
    (watch) => linearRow(watch, 2, 1920, 320),
    (watch) => attentionRow(watch, 5, 128, 64),
    (watch) => convRow(watch, 32, 64),
    (watch) => normRow(watch, 128, 320),
  ],
}

const BLOCKS: Record<Sizes, readonly BlockShape[]> = {
  full: [
    { tokens: 4608, width: 3072, heads: 24 },
    { tokens: 4096, width: 1152, heads: 16 },
  ],
  small: [{ tokens: 128, width: 320, heads: 5 }],
}

export const benchKernelsCommand: Command = {
  name: 'bench kernels',
  summary: 'times kernels beside what the device does at most',
  usage: '[flags]',
  description: `${DESCRIPTION}, and the error against float64 of the same operands.`,
  options: OPTIONS,
  needsDevice: true,
  run: (args, io) => bench(args, io, (sizes) => KERNELS[sizes]),
}

export const benchBlockCommand: Command = {
  name: 'bench block',
  summary: 'times a block of a diffusion transformer',
  usage: '[flags]',
  description: `${DESCRIPTION}.`,
  options: OPTIONS,
  needsDevice: true,
  run: (args, io) => bench(args, io, (sizes) => BLOCKS[sizes].map((shape) => (watch) => blockRow(watch, shape))),
}

async function bench(args: ParsedArgs, io: CliIo, measures: (sizes: Sizes) => readonly Measure[]): Promise<number> {
  const turns = args.number('turns') ?? 20
  if (!Number.isInteger(turns) || turns < 1) throw new UsageError(`--turns is ${turns}, expected a number from 1 on`)
  const asked = args.text('sizes')
  const given = SIZES.find((size) => size === asked)
  if (asked !== undefined && !given) {
    throw new UsageError(`--sizes is ${JSON.stringify(asked)}, expected ${SIZES.join(' or ')}`)
  }
  const { device, close } = await io.openDevice(deviceChoice(args))
  const g = new Recorder(device)
  try {
    const watch = { device, g, turns, signal: io.signal }
    io.status('measuring the device')
    const limits = await measureLimits(watch)
    const rows: Row[] = []
    const all = measures(given ?? sizesFor(device))
    for (const [i, measure] of all.entries()) {
      io.status(`measuring ${i + 1} of ${all.length}`)
      rows.push(await measure(watch))
    }
    io.status('')
    const report = { device: device.name, tier: device.tier, limits, rows }
    for (const line of args.has('json') ? [JSON.stringify(report, null, 2)] : tableOf(report)) io.print(line)
    return 0
  } finally {
    g.reset()
    close()
  }
}

const sizesFor = ({ target }: Device): Sizes => (target.software ? 'small' : 'full')
