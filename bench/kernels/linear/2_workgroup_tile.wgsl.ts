// linear, rung 2: the textbook's tile. 64 threads bring 32 x 16 values of each operand into workgroup memory and compute
// 4 x 4 outputs each from there. On a CPU workgroup memory is memory like any other, and a barrier splits the kernel.
// SwiftShader, two cores, 256 x 1024 x 256: 0.46 GFLOP/s. Needs sizes that 32 and 16 divide.
import { bindings, entry, uniformBlock, unroll } from '../../../src/wgsl/text.ts'
import type { Contestant } from '../../race.ts'

const T = 4
const pairs = (piece: (i: number, j: number) => string) => unroll(T, (i) => unroll(T, (j) => piece(i, j)))
const code = `
${uniformBlock(['m', 'n', 'k'])}
${bindings(['a', 'array<f32>'], ['b', 'array<f32>'], ['y!', 'array<f32>'])}
var<workgroup> tileA: array<f32, 512>;
var<workgroup> tileB: array<f32, 512>;
${entry(8, 8)} {
  let thread = local.y * 8u + local.x;
  let row0 = workgroup.y * 32u;
  let column0 = workgroup.x * 32u;
  ${pairs((i, j) => `var c${i}_${j} = 0.0;`)}
  for (var k0 = 0u; k0 < p.k; k0 += 16u) {
    for (var t = thread; t < 512u; t += 64u) {
      tileA[t] = a[(row0 + t / 16u) * p.k + k0 + t % 16u];
      tileB[t] = b[(column0 + t / 16u) * p.k + k0 + t % 16u];
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      ${unroll(T, (i) => `let a${i} = tileA[(local.y * 4u + ${i}u) * 16u + k]; let b${i} = tileB[(local.x + ${i * 8}u) * 16u + k];`)}
      ${pairs((i, j) => `c${i}_${j} += a${i} * b${j};`)}
    }
    workgroupBarrier();
  }
  ${pairs((i, j) => `y[(row0 + local.y * 4u + ${i}u) * p.n + column0 + local.x + ${j * 8}u] = c${i}_${j};`)}
}`

export const workgroupTile: Contestant = {
  name: '2 workgroup memory 4x4',
  record(g, { x, w }) {
    const [m, k] = x.shape
    const n = w.dim(0)
    const y = g.create([m, n])
    g.record({
      kernel: { name: 'bench.linear.2', code },
      inputs: [x, w],
      outputs: [y],
      uniforms: [m, n, k],
      groups: [n / 32, m / 32, 1],
    })
    return y
  },
}
