import { DitError } from '../../runtime/errors.ts'
import { absolute, EXACT, relative, type Tolerance } from './compare.ts'
import type { HalfErrors } from './float16.ts'

/** One run as meta.json has it: what was called, and the file of its tensors. */
export interface RunMeta {
  readonly io?: string
  readonly call?: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

/** What meta.json says of a case. */
export interface CaseMeta {
  readonly builder?: string
  readonly class?: string | null
  readonly runs: Readonly<Record<string, RunMeta>>
  readonly tolerance?: unknown
  readonly [key: string]: unknown
}

/** A folder of oracle data, or one of a trained model's cases. */
export interface Case {
  readonly name: string
  readonly folder: string
  readonly meta: CaseMeta
  /** The checkpoint's folder, where it is not the case's own. */
  readonly model?: string
  /** What float16 costs diffusers, where that was measured. */
  readonly float16?: HalfErrors
}

/**
 * What meta.json tolerates of an output of this kind ('prompt_embeds', 'latents', 'image', …). A kind that it does not
 * name is held to the strictest that it does.
 */
export function toleranceOf({ name, meta }: Case, kind?: string): Tolerance {
  const given = meta.tolerance
  const stated = isRecord(given) && 'suggested' in given ? given.suggested : given
  const value = isRecord(stated) ? (stated[kind ?? ''] ?? strictest(stated)) : stated
  if (typeof value === 'number' && value > 0) return relative(value)
  if (value === 'exact') return EXACT
  const limit = typeof value === 'string' ? /^absolute ([\d.]+(e[+-]?\d+)?)/.exec(value) : null
  if (limit) return absolute(Number(limit[1]))
  throw new DitError('corrupt', `${name}: meta.json has the tolerance ${JSON.stringify(value)}, expected a number`)
}

function strictest(stated: Record<string, unknown>): number | undefined {
  const numbers = Object.values(stated).filter((value) => typeof value === 'number')
  return numbers.length > 0 ? Math.min(...numbers) : undefined
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
