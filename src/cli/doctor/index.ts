import { megabytes } from '../../runtime/arena.ts'
import { backendsOf, currentRuntime } from '../../runtime/platform/platform.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { DEVICE_OPTIONS, deviceChoice } from '../device_options.ts'
import { cardRows, type Row } from './card_rows.ts'
import { examine } from './examine.ts'
import { examineAll } from './examine_all.ts'
import type { AdapterFinding, BackendFinding, DoctorReport } from './report.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'tells what this machine computes on, how fast, and what is missing',
  usage: '[flags]',
  description: `Looks at the runtime, the drivers and the device, measures it for a second, and names for each thing
missing the command that mends it. Exit code 1 where nothing computes, or computes wrong.`,
  options: [...DEVICE_OPTIONS, { name: 'json', type: 'flag', help: 'Print the findings as JSON.' }],
  needsDevice: true,
  run: doctor,
}

async function doctor(args: ParsedArgs, io: CliIo): Promise<number> {
  io.status('looking and measuring')
  const choice = deviceChoice(args)
  const backends = choice.backend ? [choice.backend] : backendsOf(currentRuntime())
  const report = backends.length === 1 ? await examine(io, choice, backends[0]) : await examineAll(io, backends)
  io.print(args.has('json') ? JSON.stringify(report, null, 2) : lines(report).join('\n'))
  return report.backends[0].device?.speed.correct ? 0 : 1
}

function lines(report: DoctorReport): string[] {
  const { memory } = report
  const rows: Row[] = [
    ['webdit', report.webdit],
    ['runtime', `${report.runtime} on ${report.system}`],
    ['memory', `${megabytes(memory.available)} available of ${megabytes(memory.total)}`],
    ['vulkan loader', report.loader ?? 'none'],
    ['drivers', report.drivers.join(', ') || 'none'],
    ...report.backends.flatMap((finding, i) => backendRows(finding, i === 0 && report.backends.length > 1)),
  ]
  const widest = Math.max(...rows.map(([name]) => name.length))
  const table = rows.map(([name, value]) => (name ? `${name.padEnd(widest)}  ${value}` : ''))
  const missing = report.missing.flatMap(({ what, mend }) => [`missing: ${what}`, `  ${mend}`])
  return [...table, '', ...(missing.length > 0 ? missing : ['nothing is missing'])]
}

function backendRows(
  { backend, implementation, choice, adapters, cards, device }: BackendFinding,
  isDefault: boolean,
): Row[] {
  const rows: Row[] = [
    ['', ''],
    ['backend', `${backend} (${implementation ?? 'not opened'})${isDefault ? ', the default' : ''}`],
    ...adapters.flatMap(adapterRows),
    ...cardRows(cards),
    ['used', device ? `${device.name}, tier ${device.tier}` : 'none'],
    ['why', choice.why],
  ]
  if (device) {
    const { gflops, size, correct, error } = device.speed
    const verdict = correct ? `right to ${error.toExponential(0)}` : `WRONG by ${error}`
    rows.push(['speed', `${gflops.toFixed(1)} GFLOP/s in a linear layer of ${size.join(' x ')}, ${verdict}`])
  }
  return rows
}

function adapterRows({ vendor, architecture, software, limits, features, ...rest }: AdapterFinding, i: number): Row[] {
  const kind = [vendor, architecture, software ? 'software' : 'GPU'].filter(Boolean).join(', ')
  return [
    [`adapter ${i + 1}`, `${rest.description || rest.device || 'unnamed'} (${kind})`],
    ...Object.entries(limits).map(([name, value]) => [`  ${name}`, limitText(name, value)] as const),
    ...Object.entries(features).map(([name, there]) => [`  ${name}`, there ? 'yes' : 'no'] as const),
  ]
}

function limitText(name: string, value: number): string {
  if (name.includes('Invocations')) return String(value)
  return value < 2 ** 20 ? `${value / 2 ** 10} KiB` : megabytes(value)
}
