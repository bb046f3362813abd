import { HELP_OPTION } from '../runtime/command_line/parse_args.ts'
import type { Command, OptionSpec } from './command.ts'
import { VERSION } from './package_info.ts'

/** Columns that help is folded to. */
const WIDTH = 100

export function generalHelp(commands: readonly Command[]): string {
  const widest = Math.max(...commands.map(({ name }) => name.length))
  return [
    `webdit ${VERSION}: pictures from text with diffusion transformers, on WebGPU`,
    '',
    'usage: webdit COMMAND [flags]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(widest)}  ${summary}`),
    '',
    'webdit COMMAND --help tells a command’s flags; webdit --version the version.',
    '',
    'For a start:',
    '  webdit generate --prompt "red apple"',
  ].join('\n')
}

export function commandHelp(command: Command): string {
  const rows = [...command.options, HELP_OPTION]
    .filter(({ instead }) => instead === undefined)
    .map((spec) => [flagText(spec), spec.help] as const)
  const indent = 2 + Math.max(...rows.map(([flag]) => flag.length)) + 2
  const flags = rows.map(([flag, help]) => {
    const [first, ...rest] = fold(help, WIDTH - indent)
    return [`  ${flag}`.padEnd(indent) + first, ...rest.map((line) => ' '.repeat(indent) + line)].join('\n')
  })
  return [
    `usage: webdit ${command.name} ${command.usage}`,
    '',
    command.description,
    '',
    'Flags (dashes and underscores are alike):',
    ...flags,
  ].join('\n')
}

function flagText({ name, type, value }: OptionSpec): string {
  if (type === 'flag') return `--${name}`
  if (type === 'optional text') return `--${name} [${value}]`
  return `--${name} ${value ?? 'N'}${type === 'texts' ? ' …' : ''}`
}

function fold(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]
    if (last && last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = last ? `${last} ${word}` : word
  }
  return lines
}
