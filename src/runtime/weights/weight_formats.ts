import type { WeightFormat } from '../../wgsl/quantized/format.ts'
import { DitError } from '../errors.ts'
import { show } from '../show.ts'

export { formatName, type WeightFormat } from '../../wgsl/quantized/format.ts'

/**
 * What linear weights are kept in: 'f16' as the device's tier has them (f32 in tier f32), or few bits a value, in groups with
 * a scale each. Without more said, groups are the best by measurement: see docs/weights.md.
 */
export type WeightFormatName = 'f16' | 'int8' | 'int4' | `int${8 | 4}_${'sym' | 'asym'}_g${32 | 64 | 128}`

const BEST = { group: 64, symmetric: false } as const

/** @returns undefined for f16. @throws DitError 'bad-argument' */
export function weightFormat(name: unknown): WeightFormat | undefined {
  if (name === 'f16') return undefined
  const found = typeof name === 'string' && /^int([48])(?:_(sym|asym)_g(32|64|128))?$/.exec(name)
  if (!found) {
    throw new DitError(
      'bad-argument',
      `${show(name)} is no format of weights`,
      'There are f16, int8, int4, and with groups of 32, 64 or 128 values int4_asym_g64, int4_sym_g32, int8_asym_g64 and so on.',
    )
  }
  const [, bits, kind, group] = found
  const format = kind ? { group: Number(group) as 32 | 64 | 128, symmetric: kind === 'sym' } : BEST
  return { bits: Number(bits) as 4 | 8, ...format }
}
