import { fourFunction, foursOfWord, scaleFunction } from '../quantized/dequantize.ts'
import { formatName, type WeightFormat } from '../quantized/format.ts'
import { loaded, readArrayOf, type Stored } from '../stored.ts'
import { unroll } from '../text.ts'
import { extentOf, quadsOf, type StagedTile, strideOf, THREADS } from './shape.ts'

/** How an operand comes into workgroup memory: each thread brings some vectors of four, asked for a turn ahead. */
export interface StagedOperand {
  /** The element type of the storage array. */
  readonly array: string
  readonly functions: string
  /** Where this thread's vectors come from and go to, and what holds them. */
  readonly place: string
  /** Asks for the vectors of the turn that begins at vector `k` of each row. Those past the end are zeros. */
  read(k: string): string
  /** Writes what was asked for into `tile_{name}`. */
  readonly write: string
}

export interface OperandPlace {
  readonly name: 'a' | 'b'
  readonly tile: StagedTile
  /** The workgroup's first row of the operand, and how many rows that has. */
  readonly first: string
  readonly bound: string
}

/** Vectors that a thread brings. */
export const loadsOf = (tile: StagedTile): number => (extentOf(tile) * quadsOf(tile)) / THREADS

/** The row of the tile and the vector of it that load `l` of a thread is. */
export const rowOfLoad = (tile: StagedTile, l: number): string =>
  `(thread / ${quadsOf(tile)}u + ${(l * THREADS) / quadsOf(tile)}u)`
export const quadOfLoad = (tile: StagedTile): string => `(thread % ${quadsOf(tile)}u)`

/** Where the loads go, and what holds them. */
export const targets = ({ name, tile }: OperandPlace): string =>
  unroll(
    loadsOf(tile),
    (l) =>
      `let ${name}To${l} = ${rowOfLoad(tile, l)} * ${strideOf(tile)}u + ${quadOfLoad(tile)}; var ${name}${l}: vec4f;`,
  )

export const writes = ({ name, tile }: OperandPlace): string =>
  unroll(loadsOf(tile), (l) => `tile_${name}[${name}To${l}] = ${name}${l};`)

/** Rows of a matrix [rows, k], of numbers or of few bits. Rows past the end read the last one; the epilogue drops them. */
export function matrixOperand(place: OperandPlace, stored: Stored | WeightFormat): StagedOperand {
  const { name, tile, first, bound } = place
  const packed = typeof stored !== 'string'
  const quad = (at: string): string => (packed ? `fourOf(${at})` : loaded(stored, `${name}[${at}]`, 4))
  return {
    array: packed ? 'array<vec4u>' : readArrayOf(stored, 4),
    functions: packed ? packedFunctions(stored) : '',
    place: `${targets(place)}
  ${unroll(loadsOf(tile), (l) => `let ${name}From${l} = min(${first} + ${rowOfLoad(tile, l)}, ${bound} - 1u) * p.k;`)}`,
    read: (k) => `{
    let at = ${k} + ${quadOfLoad(tile)};
    let inside = at < p.k;
    let there = select(0u, at, inside);
    ${unroll(loadsOf(tile), (l) => `${name}${l} = select(vec4f(), ${quad(`${name}From${l} + there`)}, inside);`)}
  }`,
    write: writes(place),
  }
}

export const storedName = (stored: Stored | WeightFormat): string =>
  typeof stored === 'string' ? stored : formatName(stored)

/** `fourOf(i)`: values 4i to 4i + 3 of a weight of few bits. */
function packedFunctions(format: WeightFormat): string {
  const fours = foursOfWord(format)
  return `${scaleFunction(format)}
${fourFunction(format)}
fn fourOf(i: u32) -> vec4f {
  let word = b[i / ${4 * fours}u][(i / ${fours}u) & 3u];
  return four(word${fours === 2 ? ' >> (8u * (i & 1u))' : ''}, scaleOf(i / ${format.group / 4}u));
}`
}
