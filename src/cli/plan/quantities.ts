import { type OptionSpec, type ParsedArgs, UsageError } from '../command.ts'

/** What devices and links can do, where it is not to be measured or assumed. */
export const MACHINE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'device_flops',
    type: 'text',
    value: '14TFLOPS',
    help: 'What a device computes, for plans with --devices. Default: measured with --this_device, else those of an H100.',
  },
  {
    name: 'link_bandwidth',
    type: 'text',
    value: '5GB/s',
    help: 'What each rank sends to others. Default: measured with --this_device, else 5GB/s.',
  },
  {
    name: 'link_latency',
    type: 'text',
    value: '200us',
    help: 'How long a small message takes. Default: measured with --this_device, else 200us.',
  },
]

const UNITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  device_flops: { GFLOPS: 1e9, TFLOPS: 1e12 },
  link_bandwidth: { 'MB/s': 1e6, 'GB/s': 1e9 },
  link_latency: { us: 1e-6, ms: 1e-3, s: 1 },
}

/**
 * FLOP/s, bytes a second, or seconds; undefined where the flag is not given.
 *
 * @throws UsageError for another unit, or no number above 0
 */
export function quantity(args: ParsedArgs, name: keyof typeof UNITS & string): number | undefined {
  const text = args.text(name)
  if (text === undefined) return undefined
  const [, number, unit] = /^([\d.]+(?:e[+-]?\d+)?)\s*(.*)$/i.exec(text) ?? []
  const found = Object.entries(UNITS[name]).find(([one]) => one.toLowerCase() === unit?.toLowerCase())
  const value = found ? Number(number) * found[1] : Number.NaN
  if (value > 0 && Number.isFinite(value)) return value
  const units = Object.keys(UNITS[name]).join(' or ')
  throw new UsageError(`--${name} is ${JSON.stringify(text)}, expected a number above 0 in ${units}`)
}
