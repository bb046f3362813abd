import { loaded, readArrayOf, type Stored } from '../stored.ts'
import { unroll } from '../text.ts'
import { loadsOf, type OperandPlace, quadOfLoad, rowOfLoad, type StagedOperand, targets, writes } from './operand.ts'

/**
 * Of a picture x [batch, height, width, channels], as `windowRows` of tile/loader.ts reads it: a row has the pixels under the
 * window of a pixel of the output. The depth of the tile divides the channels, so that a turn is of one pixel of each window.
 */
export function windowOperand(place: OperandPlace, stored: Stored): StagedOperand {
  const { name, tile, first, bound } = place
  return {
    array: readArrayOf(stored, 4),
    functions: '',
    place: `${targets(place)}
  let bottom = i32(p.height << p.enlarge);
  let right = i32(p.width << p.enlarge);
  ${unroll(
    loadsOf(tile),
    (l) => `let pixel${l} = min(${first} + ${rowOfLoad(tile, l)}, ${bound} - 1u);
  let left${l} = i32((pixel${l} % p.outWidth) * p.stride) - i32(p.pad);
  let top${l} = i32((pixel${l} / p.outWidth) % p.outHeight * p.stride + p.above) - i32(p.pad);
  let image${l} = pixel${l} / (p.outWidth * p.outHeight) * p.height;`,
  )}`,
    read: (k) => `{
    let tap = ${k} / p.channels; let channel = ${k} - tap * p.channels + ${quadOfLoad(tile)};
    let wy = i32(tap / p.window); let wx = i32(tap % p.window);
    ${unroll(
      loadsOf(tile),
      (l) => `{
      let y = top${l} + wy; let x = left${l} + wx;
      let inside = (y >= 0) & (x >= 0) & (y < bottom) & (x < right);
      let at = ((image${l} + (u32(y) >> p.enlarge)) * p.width + (u32(x) >> p.enlarge)) * p.channels + channel;
      ${name}${l} = select(vec4f(), ${loaded(stored, `${name}[select(0u, at, inside)]`, 4)}, inside);
    }`,
    )}
  }`,
    write: writes(place),
  }
}
