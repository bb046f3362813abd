import { megabytes } from '../../runtime/arena.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { DEVICE_OPTIONS, deviceChoice } from '../device_options.ts'
import { type DoctorReport, examine } from './report.ts'

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
  const report = await examine(io, deviceChoice(args))
  io.print(args.has('json') ? JSON.stringify(report, null, 2) : lines(report).join('\n'))
  return report.device?.speed.correct ? 0 : 1
}

function lines(report: DoctorReport): string[] {
  const { memory, adapters, device } = report
  const rows: [string, string][] = [
    ['webdit', report.webdit],
    ['runtime', `${report.runtime} on ${report.system}`],
    ['memory', `${megabytes(memory.available)} available of ${megabytes(memory.total)}`],
    ['vulkan loader', report.loader ?? 'none'],
    ['drivers', report.drivers.join(', ') || 'none'],
    ['webgpu', report.backend ?? 'none'],
  ]
  adapters.forEach(({ vendor, architecture, device: id, description, software, limits, features }, i) => {
    const kind = software ? 'software' : 'GPU'
    rows.push([
      `adapter ${i + 1}`,
      `${description || id || 'unnamed'} (${[vendor, architecture, kind].filter(Boolean).join(', ')})`,
    ])
    for (const [name, value] of Object.entries(limits)) {
      rows.push([`  ${name}`, limitText(name, value)])
    }
    for (const [name, there] of Object.entries(features)) rows.push([`  ${name}`, there ? 'yes' : 'no'])
  })
  rows.push(['used', device ? `${device.name}, tier ${device.tier}` : 'none'], ['why', report.choice.why])
  if (device) {
    const { gflops, size, correct, error } = device.speed
    const verdict = correct ? `right to ${error.toExponential(0)}` : `WRONG by ${error}`
    rows.push(['speed', `${gflops.toFixed(1)} GFLOP/s in a linear layer of ${size.join(' x ')}, ${verdict}`])
  }
  const widest = Math.max(...rows.map(([name]) => name.length))
  const table = rows.map(([name, value]) => `${name.padEnd(widest)}  ${value}`)
  const missing = report.missing.flatMap(({ what, mend }) => [`missing: ${what}`, `  ${mend}`])
  return [...table, '', ...(missing.length > 0 ? missing : ['nothing is missing'])]
}

function limitText(name: string, value: number): string {
  if (name.includes('Invocations')) return String(value)
  return value < 2 ** 20 ? `${value / 2 ** 10} KiB` : megabytes(value)
}
