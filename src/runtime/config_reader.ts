import { DitError } from './errors.ts'
import { show } from './show.ts'

/** Reads the options of one component's config. An option that is absent or null has its default. */
export class ConfigReader {
  private readonly config: Record<string, unknown>
  private readonly name: string

  /** @throws DitError bad-argument unless `config` is an object. */
  constructor(config: unknown, name: string) {
    if (typeof config !== 'object' || config === null || Array.isArray(config)) {
      throw new DitError('bad-argument', `the config of ${name} is ${show(config)}, expected an object`)
    }
    this.config = config as Record<string, unknown>
    this.name = name
  }

  /** A number; NaN is refused, infinities too unless `least` is one. */
  number(key: string, fallback: number, least = -Number.MAX_VALUE): number {
    const value = this.config[key] ?? fallback
    if (typeof value === 'number' && value >= least && value < Number.POSITIVE_INFINITY) return value
    throw this.bad(key, least === -Number.MAX_VALUE ? 'a number' : `a number of at least ${least}`)
  }

  integer(key: string, fallback: number, least: number, most: number): number {
    const value = this.config[key] ?? fallback
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    throw this.bad(key, `an integer from ${least} to ${most}`)
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.config[key] ?? fallback
    if (typeof value === 'boolean') return value
    throw this.bad(key, 'true or false')
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.config[key] ?? fallback
    if (choices.includes(value as T)) return value as T
    throw this.bad(key, `one of ${choices.join(', ')}`)
  }

  /** As `choice`, for an option that has no default. */
  optionalChoice(key: string, choices: readonly string[]): void {
    if (this.config[key] !== undefined && this.config[key] !== null) this.choice(key, choices, choices[0])
  }

  optionalNumbers(key: string): readonly number[] | undefined {
    const value = this.config[key] ?? undefined
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.length > 0 && value.every(Number.isFinite)) return value
    throw this.bad(key, 'a list of numbers')
  }

  /** A list of integers, which may be empty. */
  integers(key: string, fallback: readonly number[], least: number, most: number): readonly number[] {
    const value = this.config[key] ?? fallback
    const fits = (item: unknown) => Number.isInteger(item) && (item as number) >= least && (item as number) <= most
    if (Array.isArray(value) && value.every(fits)) return value
    throw this.bad(key, `a list of integers from ${least} to ${most}`)
  }

  /** An option that webdit does not have: fine while it is off. */
  unsupported(key: string, why: string): void {
    if (!this.boolean(key, false)) return
    throw new DitError('unsupported', `${this.name}: ${key} is on; ${why}`, `Set ${key} to false in its config.`)
  }

  bad(key: string, expected: string): DitError {
    return new DitError('bad-argument', `${this.name}: ${key} is ${show(this.config[key])}, expected ${expected}`)
  }
}
