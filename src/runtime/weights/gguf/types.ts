import { DitError } from '../../errors.ts'
import type { Dtype } from '../dtypes.ts'
import { type BlockFormat, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 } from './blocks.ts'
import { Q2_K, Q3_K, Q4_K, Q5_K, Q6_K } from './k_blocks.ts'

/** ggml's names of types by their numbers (ggml.h). */
const NAMES: Readonly<Record<number, string>> = {
  ...{ 0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0', 9: 'Q8_1' },
  ...{ 10: 'Q2_K', 11: 'Q3_K', 12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K', 15: 'Q8_K' },
  ...{ 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS' },
  ...{ 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 30: 'BF16' },
  ...{ 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4', 40: 'NVFP4' },
}

/** Types whose values are stored as they are, and those of blocks. */
const PLAIN: Readonly<Record<string, Dtype>> = { F32: 'F32', F16: 'F16', BF16: 'BF16' }
const BLOCKS: Readonly<Record<string, BlockFormat>> = {
  ...{ Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 },
  ...{ Q2_K, Q3_K, Q4_K, Q5_K, Q6_K },
}

export const GGUF_TYPES: readonly string[] = [...Object.keys(PLAIN), ...Object.keys(BLOCKS)]

/** How a tensor is stored: in blocks, or as values of a dtype. */
export type GgufType = { readonly name: string } & ({ readonly blocks: BlockFormat } | { readonly dtype: Dtype })

/**
 * The type of that number.
 *
 * @param what whose it is, for people
 * @throws DitError 'unsupported', naming those that there are
 */
export function ggufType(number: number, what: string): GgufType {
  const name = NAMES[number]
  if (name && Object.hasOwn(PLAIN, name)) return { name, dtype: PLAIN[name] }
  if (name && Object.hasOwn(BLOCKS, name)) return { name, blocks: BLOCKS[name] }
  throw new DitError(
    'unsupported',
    `${what} is of type ${name ?? `number ${number}, which ggml has not`}; webdit reads ${GGUF_TYPES.join(', ')}`,
    'Take a file of another quantization, such as Q4_K_S or Q8_0.',
  )
}
