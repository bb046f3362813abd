/**
 * How the values of a linear layer are kept in few bits. Those of a row of its weight go in groups, one after the other; a
 * value is number · scale + offset, with a scale of its own for each group. Sums and what is multiplied stay as they are.
 */
export interface WeightFormat {
  readonly bits: 4 | 8
  /** Values that share a scale. */
  readonly group: 32 | 64 | 128
  /** The offset follows from the scale, so that zero stays zero; else it is the least of the group. */
  readonly symmetric: boolean
}

/** Values of a load of 16 bytes, into which groups divide. */
export const valuesOfLoad = ({ bits }: WeightFormat): number => 128 / bits

/** Loads of a group. */
export const loadsOfGroup = (format: WeightFormat): number => format.group / valuesOfLoad(format)

/** Bytes of a group's scale, and of its offset where that is stored. */
export const scaleBytes = ({ symmetric }: WeightFormat): 2 | 4 => (symmetric ? 2 : 4)

/** Bytes of so many values: where their scales begin. */
export const numberBytes = ({ bits }: WeightFormat, values: number): number => (values * bits) / 8

/** Where the scales of so many values begin, in loads. */
export const scalesAt = (format: WeightFormat, values: number): number => numberBytes(format, values) / 16

/** Bytes of so many values with their scales, in whole loads. */
export const packedBytes = (format: WeightFormat, values: number): number =>
  numberBytes(format, values) + Math.ceil((values / format.group) * (scaleBytes(format) / 16)) * 16

/** int4_asym_g64. */
export const formatName = ({ bits, symmetric, group }: WeightFormat): string =>
  `int${bits}_${symmetric ? 'sym' : 'asym'}_g${group}`
