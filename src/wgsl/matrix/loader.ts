import { halvesFunctions } from '../quantized/dequantize.ts'
import { valuesOfLoad, type WeightFormat } from '../quantized/format.ts'
import { unroll } from '../text.ts'

/** Halves between rows of a tile in workgroup memory: a step of 16 bytes more, so that rows begin in other banks. */
export const PAD = 8
/** Values f16 of a load. */
export const VEC = 8

/**
 * How the threads of a workgroup bring a part of an operand into workgroup memory. What is asked for is waited for as soon as
 * it is looked at, so `read` only asks, and `write` makes of it what matrix units take.
 */
export interface TileLoader {
  /** Declarations at module scope. */
  readonly functions: string
  /** Code before the loop over depth: where each thread reads and writes. */
  readonly place: string
  /** Reads from depth `k` on, in eights of values. */
  read(k: string): string
  /** Writes what was read for depth `k`, which is p.k or more beyond the operand. */
  readonly write: string
}

export interface LoadedTile {
  readonly operand: 'a' | 'b'
  /** Of the part, and values of each. */
  readonly rows: number
  readonly depth: number
  readonly threads: number
  /** The first row of the part, and how many there are of the operand. */
  readonly first: string
  readonly bound: string
}

/** Of an operand in f16. @param ragged the depth of the tile does not divide that of the operand */
export function halvesTile({ operand, rows, depth, threads, first, bound }: LoadedTile, ragged: boolean): TileLoader {
  const quads = (depth + PAD) / 4
  const words = depth / VEC // of a row
  const each = (piece: (l: number) => string) => unroll((rows * words) / threads, piece)
  return {
    functions: '',
    place: each((l) => {
      const [row, word] = [`(local + ${l * threads}u) / ${words}u`, `(local + ${l * threads}u) % ${words}u`]
      return `let ${operand}From${l} = min(${first} + ${row}, ${bound} - 1u) * p.k + ${word}; let ${operand}To${l} = (${row}) * ${quads}u + (${word}) * 2u; var ${operand}${l}: vec4u;`
    }),
    read: (k) => each((l) => `${operand}${l} = ${operand}[${operand}From${l} + ${k}];`),
    write: each((l) => {
      const value = `${operand}${l}`
      // Only here: a value that is looked at as soon as it is asked for is waited for.
      const zeroed = ragged
        ? `${value} = select(vec4u(), ${value}, k + (local + ${l * threads}u) % ${words}u < p.k);`
        : ''
      const to = `tile_${operand}[${operand}To${l}`
      return `${zeroed} ${to}] = bitcast<vec4<f16>>(${value}.xy); ${to} + 1u] = bitcast<vec4<f16>>(${value}.zw);`
    }),
  }
}

/**
 * Of weights of few bits, 16 bytes a thread where there are so many, whose values share a scale. Beyond the depth of the
 * operand they are finite, which is enough: those of the other operand are zero there.
 */
export function quantizedTile(
  { operand, rows, depth, threads, first, bound }: LoadedTile,
  format: WeightFormat,
): TileLoader {
  const { bits, group } = format
  const quads = (depth + PAD) / 4
  const loaded = valuesOfLoad(format)
  // Few values are shared among all threads: some take half of a load.
  const values = Math.min(loaded, (rows * depth) / threads)
  const pieces = depth / values // of a row
  const each = (piece: (l: number) => string) => unroll((rows * pieces) / threads, piece)
  const words = (values * bits) / 32
  const fours = values / 4 / words
  const eights = loaded / VEC
  const at = (l: number, k: string) => `${operand}Group${l} + (${k} * ${VEC}u + ${operand}Column${l}) / ${group}u`
  return {
    functions: halvesFunctions(format),
    place: each((l) => {
      const index = `(local + ${l * threads}u)`
      return `let ${operand}Row${l} = min(${first} + ${index} / ${pieces}u, ${bound} - 1u); let ${operand}Column${l} = ${index} % ${pieces}u * ${values}u;
  let ${operand}From${l} = ${operand}Row${l} * (p.k / ${eights}u) + ${operand}Column${l} / ${loaded}u; let ${operand}Group${l} = ${operand}Row${l} * (p.k * ${VEC}u / ${group}u);
  let ${operand}To${l} = ${index} / ${pieces}u * ${quads}u + ${operand}Column${l} / 4u; var ${operand}${l}: vec4u; var ${operand}Scale${l}: u32;`
    }),
    read: (k) =>
      each(
        (l) =>
          `${operand}${l} = ${operand}[${operand}From${l} + ${k} / ${eights}u]; ${operand}Scale${l} = scaleWord(${at(l, k)});`,
      ),
    write: each((l) => {
      const value = `${operand}${l}`
      const half = values < loaded ? `if (${operand}Column${l} % ${loaded}u != 0u) { ${value} = ${value}.zwxy; }` : ''
      const stores = unroll(words, (w) =>
        unroll(
          fours,
          (t) => `tile_${operand}[${operand}To${l} + ${w * fours + t}u] = halves${t}(${value}.${'xyzw'[w]}, scale);`,
        ),
      )
      return `{ ${half} let scale = scaleIn(${operand}Scale${l}, ${at(l, 'k')}); ${stores} }`
    }),
  }
}
