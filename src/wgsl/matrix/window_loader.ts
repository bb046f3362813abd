import { unroll } from '../text.ts'
import { type LoadedTile, PAD, type TileLoader, VEC } from './loader.ts'

/** Uniform fields of a convolution, after the sizes of the product. Channels are counted in eights. */
export const WINDOW_FIELDS = [
  'channels',
  'height',
  'width',
  'outHeight',
  'outWidth',
  'window',
  'stride',
  'pad',
  'enlarge',
  'above',
]

/**
 * Of a picture x [batch, height, width, channels] in f16, as `windowRows` of tile/loader.ts reads it: a row has the pixels
 * under the window of a pixel of the output. The depth of the tile divides the channels, so that a tile is of one pixel of each
 * window.
 */
export function windowTile({ operand, rows, depth, threads, first, bound }: LoadedTile): TileLoader {
  const quads = (depth + PAD) / 4
  const words = depth / VEC // of a row
  const each = (piece: (l: number) => string) => unroll((rows * words) / threads, piece)
  const row = (l: number) => `(local + ${l * threads}u) / ${words}u`
  const word = (l: number) => `(local + ${l * threads}u) % ${words}u`
  return {
    functions: '',
    place: `let bottom = i32(p.height << p.enlarge);
  let right = i32(p.width << p.enlarge);
  ${each(
    (l) => `let pixel${l} = min(${first} + ${row(l)}, ${bound} - 1u);
  let left${l} = i32((pixel${l} % p.outWidth) * p.stride) - i32(p.pad);
  let top${l} = i32((pixel${l} / p.outWidth) % p.outHeight * p.stride + p.above) - i32(p.pad);
  let image${l} = pixel${l} / (p.outWidth * p.outHeight) * p.height;
  let ${operand}To${l} = (${row(l)}) * ${quads}u + (${word(l)}) * 2u; var ${operand}${l}: vec4u; var inside${l}: bool;`,
  )}`,
    read: (k) => `{
    let tap = ${k} / p.channels; let channel = ${k} - tap * p.channels;
    let wy = i32(tap / p.window); let wx = i32(tap % p.window);
    ${each(
      (l) => `{
      let y = top${l} + wy; let x = left${l} + wx;
      inside${l} = (y >= 0) & (x >= 0) & (y < bottom) & (x < right);
      let at = ((image${l} + (u32(y) >> p.enlarge)) * p.width + (u32(x) >> p.enlarge)) * p.channels + channel + ${word(l)};
      ${operand}${l} = ${operand}[select(0u, at, inside${l})];
    }`,
    )}
  }`,
    write: each((l) => {
      const value = `select(vec4u(), ${operand}${l}, inside${l})`
      const to = `tile_${operand}[${operand}To${l}`
      return `{ let value = ${value}; ${to}] = bitcast<vec4<f16>>(value.xy); ${to} + 1u] = bitcast<vec4<f16>>(value.zw); }`
    }),
  }
}
