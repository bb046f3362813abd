// How attention is cut for matrix units.
import { LANES, UNIT } from './shape.ts'

/**
 * A workgroup has `groups` times 32 queries of a head. Each group of 32 belongs to `sharing` subgroups: they share its keys
 * when scores are computed, and its columns when values are added up, so that each holds fewer sums in registers.
 */
export interface AttentionTile {
  readonly groups: number
  readonly sharing: number
}

/** Queries of a group: two matrices of 16, so that a key or value in workgroup memory is read once for 32 of them. */
export const GROUP = 2 * UNIT
/** Keys that a workgroup handles at a time. */
export const KEYS = 32

/** Values of a head in whole matrices. */
export const wholeHead = (dim: number): number => Math.ceil(dim / UNIT) * UNIT

export const queriesOf = ({ groups }: AttentionTile): number => groups * GROUP
export const subgroupsOfAttention = ({ groups, sharing }: AttentionTile): number => groups * sharing
export const threadsOf = (tile: AttentionTile): number => subgroupsOfAttention(tile) * LANES

/** Steps between rows in workgroup memory, 16 bytes more than they have, so that they begin in other banks. */
export const keyStride = (dim: number): number => wholeHead(dim) + 8
export const SCORES = KEYS + 4
export const WEIGHTS = KEYS + 8

/**
 * Words of u32 of an array with one for each subgroup. Matrices are loaded from places that are multiples of 16 bytes, and a
 * driver lays arrays out one after the other, whatever their sizes.
 */
export const flagWords = (tile: AttentionTile): number => Math.ceil(subgroupsOfAttention(tile) / 4) * 4

/** Bytes of workgroup memory. */
export const attentionStorage = (dim: number, tile: AttentionTile): number =>
  2 * 2 * KEYS * keyStride(dim) + queriesOf(tile) * (4 * SCORES + 2 * WEIGHTS + 4) + 4 * flagWords(tile)

/**
 * By measurement on an H100 (bench/RESULTS.md), whose driver has 48 KiB of workgroup memory for all workgroups of a core: two
 * of half of it for narrow heads, one for wide ones. Undefined where not even the smallest fits.
 */
export function chooseAttentionTile(dim: number, storage: number): AttentionTile | undefined {
  const evenly = (wholeHead(dim) / UNIT) % 2 === 0
  const tiles = dim <= 64 && evenly ? [SMALL, LARGE] : evenly ? [LARGE, SMALL] : [UNSHARED]
  return tiles.find((tile) => attentionStorage(dim, tile) <= storage)
}

const SMALL = { groups: 2, sharing: 2 }
const LARGE = { groups: 4, sharing: 2 }
const UNSHARED = { groups: 4, sharing: 1 }
