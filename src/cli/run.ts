import { nearest, parseArgs, quote } from '../runtime/command_line/parse_args.ts'
import { DitError } from '../runtime/errors.ts'
import { batchCommand } from './batch/index.ts'
import { benchBlockCommand, benchKernelsCommand } from './bench/device/index.ts'
import { benchCommand, benchModelCommand } from './bench/index.ts'
import { type CliIo, type Command, type DeviceChoice, UsageError } from './command.ts'
import { deviceChoice } from './device_options.ts'
import { doctorCommand } from './doctor/index.ts'
import { generateCommand } from './generate/index.ts'
import { commandHelp, generalHelp } from './help.ts'
import { nodeCommand } from './node/index.ts'
import { nodesCommand } from './nodes/index.ts'
import { VERSION } from './package_info.ts'
import { planCommand } from './plan/index.ts'
import { serveCommand } from './serve/index.ts'
import { verifyCommand } from './verify/index.ts'

const COMMANDS: readonly Command[] = [
  generateCommand,
  batchCommand,
  serveCommand,
  nodeCommand,
  nodesCommand,
  planCommand,
  benchCommand,
  benchModelCommand,
  benchKernelsCommand,
  benchBlockCommand,
  verifyCommand,
  doctorCommand,
]

/** Exit codes: what shells and xDiT's users expect. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/**
 * Runs a command line and tells how it ended. Whatever goes wrong becomes a line or two on stderr.
 *
 * @param argv without the runtime and the script
 * @param beforeDevice called before a command that computes, with what its flags say of the device
 */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
  beforeDevice: (choice: DeviceChoice) => Promise<unknown> = async () => {},
): Promise<number> {
  let command: Command | undefined
  try {
    const [first] = argv
    if (first === undefined || ['--help', '-h', 'help'].includes(first)) return print(io, generalHelp(COMMANDS))
    if (first === '--version' || first === '-V') return print(io, VERSION)
    command = findCommand(argv)
    const args = parseArgs(argv.slice(wordsOf(command)), command.options, command.positionals ?? false)
    if (args.has('help')) return print(io, commandHelp(command))
    const { needsDevice } = command
    if (typeof needsDevice === 'function' ? needsDevice(args) : needsDevice) await beforeDevice(deviceChoice(args))
    return await command.run(args, io)
  } catch (error) {
    io.status('')
    return report(error, command, io)
  }
}

function print(io: CliIo, text: string): number {
  io.print(text)
  return EXIT.done
}

const wordsOf = ({ name }: Command): number => name.split(' ').length

/** The command that the first word or two name. */
function findCommand([name, second]: readonly string[]): Command {
  const named = (words: string) => COMMANDS.find((known) => known.name === words)
  const command = named(`${name} ${second}`) ?? named(name)
  if (command) return command
  const names = [...new Set(COMMANDS.map((known) => known.name.split(' ')[0]))]
  const near = nearest(name, names)
  const hint = `The commands are ${names.join(', ')}; webdit --help says more.`
  if (name.startsWith('-')) throw new UsageError(`${quote(name)} stands where a command is expected`, hint)
  throw new UsageError(`there is no command ${quote(name)}${near ? `: did you mean ${near}?` : ''}`, hint)
}

function report(error: unknown, command: Command | undefined, io: CliIo): number {
  if (process.env.WEBDIT_DEBUG) io.note(String(error instanceof Error ? error.stack : error))
  if (error instanceof UsageError) {
    const hint = error.hint ?? (command ? `webdit ${command.name} --help lists the flags.` : undefined)
    complain(io, error.message, hint)
    return EXIT.usage
  }
  if (io.signal.aborted || (error instanceof DitError && error.kind === 'aborted')) {
    io.note('webdit: cancelled')
    return EXIT.interrupted
  }
  if (error instanceof DitError) {
    const flags = (text: string) => asFlags(text, command)
    complain(io, flags(error.message), error.hint && flags(error.hint))
    return EXIT.failed
  }
  const message = error instanceof Error ? error.message : String(error)
  complain(io, `unexpected: ${message.split('\n')[0]}`, 'Please report it, with the output of WEBDIT_DEBUG=1.')
  return EXIT.failed
}

function complain(io: CliIo, message: string, hint: string | undefined): void {
  io.note(`webdit: ${oneLine(message)}`)
  if (hint) io.note(`  ${oneLine(hint)}`)
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, ' ')

/** The library names options in camelCase; here they are flags. */
function asFlags(text: string, command: Command | undefined): string {
  let flagged = text
  for (const { name } of command?.options ?? []) {
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    if (camel !== name) flagged = flagged.replace(new RegExp(`\\b${camel}\\b`, 'g'), `--${name}`)
  }
  return flagged
}
