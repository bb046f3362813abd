// Matmul: y [m, n] = epilogue(a [m, k] · b [n, k]ᵀ), and convolution as the same with windows for rows.
// Tiers: all. Operands and result are f32 or f16, the sums f32. Bindings: p, a, b, [bias], [multiply], [gate], [residual], y.
// Speed: SwiftShader, two cores: bench/kernels/linear has the ladder.
import { fourFunction, scaleFunction } from './quantized/dequantize.ts'
import { formatName, type WeightFormat } from './quantized/format.ts'
import { multiplyQuantizedTile } from './quantized/multiply.ts'
import { arrayOf, enableStored, readArrayOf, type Stored } from './stored.ts'
import { bindings, entry, laneInQuad, QUADS, uniformBlock } from './text.ts'
import {
  EPILOGUE_FIELDS,
  type Epilogue,
  epilogueBindings,
  epilogueFunctions,
  epilogueName,
  storeTile,
} from './tile/epilogue.ts'
import { matrixRows, windowRows } from './tile/loader.ts'
import { loadedRows, multiplyTile } from './tile/multiply.ts'
import { type TileShape, tileName } from './tile/shape.ts'

export interface MatmulParameters {
  /** Rows of a matrix (linear), or windows of a picture (conv2d). */
  readonly rows: 'matrix' | 'window'
  /** What a, b and y are stored as. */
  readonly stored: { readonly a: Stored; readonly b: Stored | WeightFormat; readonly y: Stored }
  readonly tile: TileShape
  /** Values loaded at once along depth; 4 needs a depth (channels) that 4 divides. 4 where b has few bits. */
  readonly vec: 1 | 4
  readonly epilogue: Epilogue
}

export const matmulName = (m: MatmulParameters): string =>
  `${m.rows === 'matrix' ? 'linear' : 'conv2d'}.${m.stored.a}*${weightName(m.stored.b)}=${m.stored.y}.${tileName(m.tile)}.v${m.vec}.` +
  epilogueName(m.epilogue)

const weightName = (b: Stored | WeightFormat): string => (typeof b === 'string' ? b : formatName(b))

export function matmul({ rows, stored, tile, vec, epilogue }: MatmulParameters): string {
  const loader =
    rows === 'matrix' ? matrixRows(loadedRows(tile), stored.a, vec) : windowRows(loadedRows(tile), stored.a, vec)
  const { b } = stored
  const weight =
    typeof b === 'string'
      ? {
          enabled: [b],
          fields: [],
          array: readArrayOf(b, vec),
          functions: '',
          multiply: multiplyTile(loader, tile, b, vec),
        }
      : {
          enabled: [],
          fields: ['scales'],
          array: 'array<vec4u>',
          functions: `${scaleFunction(b)}\n${fourFunction(b)}`,
          multiply: multiplyQuantizedTile(loader, tile, b),
        }
  return `${tile.quads ? QUADS : ''}
${enableStored(stored.a, ...weight.enabled, stored.y)}${uniformBlock([...loader.fields, ...weight.fields, ...EPILOGUE_FIELDS])}
${bindings(['a', readArrayOf(stored.a, vec)], ['b', weight.array], ...epilogueBindings(epilogue), ['y!', arrayOf(stored.y)])}
${epilogueFunctions(epilogue)}${weight.functions}
${entry(tile.lx, tile.ly, tile.quads)} {
  ${tile.quads ? laneInQuad : ''}
  let m0 = (workgroup.y * ${tile.ly}u + local.y) * ${tile.tm}u;
  let n0 = workgroup.x * ${tile.lx * tile.tn}u + local.x;
  ${weight.multiply}
  ${storeTile(epilogue, tile, stored.y)}
}`
}
