// Weights of few bits: linear of f16 and f32 against what the numbers stand for, exactly; what matrix units would get of
// them, rounded to f16; and slices that go through groups.
import type { Device } from '../../../../src/runtime/device.ts'
import { linear } from '../../../../src/runtime/ops/index.ts'
import { MATRIX_TILES } from '../../../../src/runtime/ops/matrix_linear.ts'
import type { Recorder } from '../../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../../src/runtime/tensor.ts'
import { type WeightFormat, weightFormat } from '../../../../src/runtime/weights/weight_formats.ts'
import { PAD, quantizedTile } from '../../../../src/wgsl/matrix/loader.ts'
import { LANES, type MatrixTile, matrixTileName, subgroupsOf } from '../../../../src/wgsl/matrix/shape.ts'
import { scalesAt } from '../../../../src/wgsl/quantized/format.ts'
import { bindings, uniformBlock } from '../../../../src/wgsl/text.ts'
import { random } from '../../../support/numbers.ts'
import { packedWeight, quantized } from '../../../support/quantized.ts'
import { compared, Inputs, type Result } from './check.ts'

const [OUT, WIDTH] = [70, 192]

export async function* quantizedWeights(device: Device): AsyncGenerator<Result> {
  for (const name of ['int4_asym_g64', 'int4_sym_g32', 'int8_asym_g32', 'int8_sym_g64']) {
    const format = weightFormat(name) as WeightFormat
    const values = random(OUT * WIDTH)
    const { values: dequantized } = quantized(values, format)
    const weights = await packedWeight(device, values, [OUT, WIDTH], format)
    const weight = weights.tensor('w.weight')
    for (const [rows, a] of [
      [16, 'f16'],
      [33, 'f32'],
    ] as const) {
      const inputs = new Inputs(device)
      const x = inputs.of(a, [rows, WIDTH])
      const y = linear(inputs.g, x.tensor, { weight })
      const expected = Float64Array.from({ length: rows * OUT }, (_, at) => {
        const [i, j] = [Math.floor(at / OUT), at % OUT]
        let sum = 0
        for (let d = 0; d < WIDTH; d++) sum += x.values[i * WIDTH + d] * dequantized[j * WIDTH + d]
        return sum
      })
      yield compared(`linear of ${rows} rows ${a} with ${name}`, inputs.g, y, expected, 'f32')
    }
    for (const tile of MATRIX_TILES.slice(1)) {
      const { g } = new Inputs(device)
      const y = tilesOf(g, weight, format, tile)
      // Of f16 there are products with an error of one rounding alone.
      yield compared(`tiles ${matrixTileName(tile)} of ${name}`, g, y, dequantized, 'f16')
    }
    weights.free()
  }
}

/** Brings the weight through the tiles of matrix units, one after the other, and out again. */
function tilesOf(g: Recorder, weight: Tensor, format: WeightFormat, tile: MatrixTile): Tensor {
  const { columns: rows, depth } = tile
  const threads = subgroupsOf(tile) * LANES
  const loader = quantizedTile({ operand: 'b', rows, depth, threads, first: 'n0', bound: 'p.n' }, format)
  const [quads, perRow] = [(depth + PAD) / 4, depth / 4]
  const code = `enable f16;
${uniformBlock(['n', 'k', 'scales'])}
${bindings(['b', 'array<vec4u>'], ['y!', 'array<vec4<f16>>'])}
// wgpu has no such bitcast yet.
fn halvesIn(word: u32) -> vec2<f16> { return vec2<f16>(unpack2x16float(word)); }
${loader.functions.replaceAll('bitcast<vec2<f16>>', 'halvesIn')}
var<workgroup> tile_b: array<vec4<f16>, ${rows * quads}>;
@compute @workgroup_size(${threads}) fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let n0 = workgroup.x * ${rows}u;
  ${loader.place}
  ${loader.read('0u')}
  for (var k = 0u; k < p.k; k += ${depth / 8}u) {
    workgroupBarrier();
    ${loader.write}
    workgroupBarrier();
    for (var e = local; e < ${rows * perRow}u; e += ${threads}u) {
      let row = e / ${perRow}u;
      let column = k * 2u + e % ${perRow}u;
      if (n0 + row < p.n && column < p.k * 2u) { y[(n0 + row) * p.k * 2u + column] = tile_b[row * ${quads}u + e % ${perRow}u]; }
    }
    let next = select(k, k + ${depth / 8}u, k + ${depth / 8}u < p.k);
    ${loader.read('next')}
  }
}`
  const y = g.create([OUT, WIDTH], 'f16', 'tiles')
  g.record({
    kernel: { name: `tiles.${matrixTileName(tile)}.${JSON.stringify(format)}`, code },
    inputs: [weight],
    outputs: [y],
    uniforms: [OUT, WIDTH / 8, scalesAt(format, weight.size)],
    groups: [Math.ceil(OUT / rows), 1, 1],
  })
  return y
}
