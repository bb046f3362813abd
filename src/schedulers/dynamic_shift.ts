/** What of scheduler_config.json shifts by the picture's size; diffusers' defaults. */
export interface ShiftRange {
  readonly baseImageSeqLen?: number
  readonly maxImageSeqLen?: number
  readonly baseShift?: number
  readonly maxShift?: number
}

/** The shift `mu` of a picture of so many tokens: diffusers' calculate_shift, a straight line through both ends. */
export function calculateShift(
  tokens: number,
  { baseImageSeqLen = 256, maxImageSeqLen = 4096, baseShift = 0.5, maxShift = 1.15 }: ShiftRange = {},
): number {
  const slope = (maxShift - baseShift) / (maxImageSeqLen - baseImageSeqLen)
  return tokens * slope + (baseShift - slope * baseImageSeqLen)
}
