/** One flag. Its name is xDiT's, with underscores; people may type dashes as well. */
export interface OptionSpec {
  /** Without the leading dashes: 'num_inference_steps'. */
  readonly name: string
  /**
   * What follows it: nothing, one text, one text or nothing, texts up to the next flag, a number, or a size of memory
   * ('8GiB', read as bytes).
   * The flag may be repeated if it takes texts; else the last one counts.
   */
  readonly type: 'flag' | 'text' | 'optional text' | 'texts' | 'integer' | 'number' | 'bytes'
  /** What the value is called in the help: 'FOLDER'. */
  readonly value?: string
  /** One line for the help, with the default and the unit. */
  readonly help: string
  /** A flag of xDiT's that means nothing here: what to do instead. It is refused by name, and left out of the help. */
  readonly instead?: string
}

/** A command line, read by its command's options. Names are those of the specs. */
export interface ParsedArgs {
  /** What stands before any flag, or after a flag that takes one value or none. */
  readonly positionals: readonly string[]
  has(name: string): boolean
  /** Undefined where the flag is not given, or stands alone where it may. */
  text(name: string): string | undefined
  /** Empty where the flag is not given. */
  texts(name: string): string[]
  /** A number, or bytes. */
  number(name: string): number | undefined
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
  /** What to do instead. */
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}
