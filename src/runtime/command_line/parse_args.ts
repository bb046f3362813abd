import { type OptionSpec, type ParsedArgs, UsageError } from './option.ts'

/** Flags that every command has. */
export const HELP_OPTION: OptionSpec = { name: 'help', type: 'flag', help: 'Show this help.' }

/**
 * Reads a command's arguments. Flags are written with one value behind them or after '=', underscores and dashes alike.
 * @throws UsageError for a flag that is not known, and for values that are missing or not of the flag's type
 */
export function parseArgs(
  argv: readonly string[],
  options: readonly OptionSpec[],
  takesPositionals: boolean,
): ParsedArgs {
  const specs = new Map([...options, HELP_OPTION].map((spec) => [spec.name, spec]))
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--') {
      positionals.push(...argv.slice(i + 1))
      break
    }
    if (!isFlag(argv[i])) {
      positionals.push(argv[i])
      continue
    }
    const [flag, inline] = splitAtEquals(argv[i])
    const spec = findSpec(flag, specs)
    if (spec.instead !== undefined)
      throw new UsageError(`--${spec.name} is a flag of xDiT that webdit has not`, spec.instead)
    const values = inline === undefined ? [] : [inline]
    if (spec.type === 'flag') {
      if (inline !== undefined) throw new UsageError(`--${spec.name} takes no value, but was given ${quote(inline)}`)
    } else if (inline === undefined) {
      const most = spec.type === 'texts' ? Number.POSITIVE_INFINITY : 1
      while (values.length < most && i + 1 < argv.length && !isFlag(argv[i + 1])) values.push(argv[++i])
      if (values.length === 0 && spec.type !== 'optional text') {
        throw new UsageError(`--${spec.name} needs a value: --${spec.name} ${spec.value ?? '…'}`)
      }
    }
    given.set(spec.name, spec.type === 'texts' ? [...(given.get(spec.name) ?? []), ...values] : values)
  }
  if (positionals.length > 0 && !takesPositionals && !given.has('help')) {
    throw new UsageError(
      `${quote(positionals[0])} stands behind no flag`,
      'Put quotes around a text of several words: --prompt "a red apple"',
    )
  }
  const numbers = readNumbers(given, specs)
  return {
    positionals,
    has: (name) => given.has(name),
    text: (name) => given.get(name)?.[0],
    texts: (name) => given.get(name) ?? [],
    number: (name) => numbers.get(name),
  }
}

/** The known name nearest to what was typed, if any is near enough to be meant. */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  const ranked = [...known]
    .map((name) => ({ name, edits: editDistance(typed, name) }))
    .sort((a, b) => a.edits - b.edits)
  const best = ranked[0]
  return best && best.edits <= Math.max(2, Math.floor(typed.length / 3)) ? best.name : undefined
}

export const quote = (text: string): string => JSON.stringify(text)

/** '-1' and '-' are values: no flag has a single dash, but for -h. */
const isFlag = (argument: string): boolean => argument === '-h' || argument.startsWith('--')

function splitAtEquals(argument: string): [flag: string, value: string | undefined] {
  const at = argument.indexOf('=')
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)]
}

function findSpec(flag: string, specs: ReadonlyMap<string, OptionSpec>): OptionSpec {
  const name = flag === '-h' ? 'help' : flag.slice(2).replaceAll('-', '_')
  const spec = specs.get(name)
  if (spec) return spec
  const near = nearest(name, specs.keys())
  throw new UsageError(`there is no flag ${flag}${near ? `: did you mean --${near}?` : ''}`)
}

function readNumbers(given: ReadonlyMap<string, string[]>, specs: ReadonlyMap<string, OptionSpec>) {
  const numbers = new Map<string, number>()
  for (const [name, values] of given) {
    const { type } = specs.get(name)!
    if (type === 'bytes') numbers.set(name, readBytes(name, values[0]))
    if (type !== 'integer' && type !== 'number') continue
    const value = values[0].trim() === '' ? Number.NaN : Number(values[0])
    const fits = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
    if (!fits) {
      const expected = type === 'integer' ? 'a whole number' : 'a number'
      throw new UsageError(`--${name} is ${quote(values[0])}, expected ${expected}`)
    }
    numbers.set(name, value)
  }
  return numbers
}

const UNITS: Record<string, number> = { '': 1, B: 1 }
'KMGT'.split('').forEach((prefix, i) => {
  UNITS[`${prefix}B`] = 1000 ** (i + 1)
  UNITS[prefix] = UNITS[`${prefix}IB`] = 1024 ** (i + 1)
})

function readBytes(name: string, text: string): number {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * UNITS[unit?.toUpperCase()])
  if (bytes > 0) return bytes
  throw new UsageError(`--${name} is ${quote(text)}, expected a size of memory such as 8GiB or 800MB`)
}

/** Levenshtein: insertions, deletions and substitutions. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]))
    }
    row = next
  }
  return row[b.length]
}
