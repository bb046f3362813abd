import { DitError } from './errors.ts'

/** Deeper nesting than this is refused, so that a hostile file cannot exhaust the stack. */
const MAX_DEPTH = 256

export interface JsonOptions {
  /** Refuse an object that has one key twice (plain JSON keeps the last). */
  uniqueKeys?: boolean
}

/**
 * Parses JSON, and beside it the literals NaN, Infinity and -Infinity that Python's json module writes
 * (scheduler_config.json has "lambda_min_clipped": -Infinity).
 * @param what names the file in errors
 * @throws DitError 'corrupt' with line and column
 */
export function parseJson(text: string, what: string, options: JsonOptions = {}): unknown {
  if (!options.uniqueKeys) {
    try {
      return JSON.parse(text)
    } catch {
      // Python's literals, or an error whose position the reader below tells in every runtime alike.
    }
  }
  return new JsonReader(text, what, options.uniqueKeys ?? false).read()
}

class JsonReader {
  private at = 0
  private readonly text: string
  private readonly what: string
  private readonly uniqueKeys: boolean

  constructor(text: string, what: string, uniqueKeys: boolean) {
    this.text = text
    this.what = what
    this.uniqueKeys = uniqueKeys
  }

  read(): unknown {
    const value = this.value(0)
    this.skipSpace()
    if (this.at < this.text.length) this.fail('the end of the text')
    return value
  }

  private value(depth: number): unknown {
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels of nesting`)
    this.skipSpace()
    const c = this.text[this.at]
    if (c === '{') return this.object(depth)
    if (c === '[') return this.array(depth)
    if (c === '"') return this.string()
    return this.literal()
  }

  private object(depth: number): unknown {
    const entries = new Map<string, unknown>()
    this.at++
    if (this.take('}')) return {}
    do {
      this.skipSpace()
      const start = this.at
      if (this.text[start] !== '"') this.fail('a key in double quotes')
      const key = this.string()
      if (this.uniqueKeys && entries.has(key)) {
        this.at = start
        this.fail('each key once')
      }
      if (!this.take(':')) this.fail("':'")
      entries.set(key, this.value(depth + 1))
    } while (this.take(','))
    if (!this.take('}')) this.fail("',' or '}'")
    return Object.fromEntries(entries)
  }

  private array(depth: number): unknown[] {
    const values: unknown[] = []
    this.at++
    if (this.take(']')) return values
    do values.push(this.value(depth + 1))
    while (this.take(','))
    if (!this.take(']')) this.fail("',' or ']'")
    return values
  }

  private string(): string {
    const start = this.at
    let end = start + 1
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1
    try {
      const value: string = JSON.parse(this.text.slice(start, end + 1))
      this.at = end + 1
      return value
    } catch {
      return this.fail('a string with valid escapes and a closing quote')
    }
  }

  private literal(): unknown {
    const pattern = /-?Infinity|NaN|true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
    pattern.lastIndex = this.at
    const word = pattern.exec(this.text)?.[0]
    if (word === undefined) return this.fail('a value')
    this.at += word.length
    if (word === 'true' || word === 'false') return word === 'true'
    return word === 'null' ? null : Number(word)
  }

  private skipSpace(): void {
    while (' \n\r\t'.includes(this.text[this.at] ?? '.')) this.at++
  }

  private take(c: string): boolean {
    this.skipSpace()
    if (this.text[this.at] !== c) return false
    this.at++
    return true
  }

  private fail(expected: string): never {
    const before = this.text.slice(0, this.at)
    const line = before.split('\n').length
    const column = this.at - before.lastIndexOf('\n')
    const found = this.at < this.text.length ? JSON.stringify(this.text.slice(this.at, this.at + 20)) : 'the end'
    throw new DitError(
      'corrupt',
      `${this.what} is not valid JSON: line ${line}, column ${column}: expected ${expected}, found ${found}`,
      'Fetch the file again; if it was edited by hand, mend that line.',
    )
  }
}
