// linear, rung 1: one output a thread, one value at a time. What everything above is measured against.
// SwiftShader, two cores, 256 x 1024 x 256: 0.16 GFLOP/s.
import { bindings, entry, uniformBlock } from '../../../src/wgsl/text.ts'
import type { Contestant } from '../../race.ts'

const code = `
${uniformBlock(['m', 'n', 'k'])}
${bindings(['a', 'array<f32>'], ['b', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(8, 8)} {
  let column = workgroup.x * 8u + local.x;
  let row = workgroup.y * 8u + local.y;
  if (row >= p.m || column >= p.n) { return; }
  var sum = 0.0;
  for (var k = 0u; k < p.k; k++) { sum += a[row * p.k + k] * b[column * p.k + k]; }
  y[row * p.n + column] = sum;
}`

export const naive: Contestant = {
  name: '1 naive',
  record(g, { x, w }) {
    const [m, k] = x.shape
    const n = w.dim(0)
    const y = g.create([m, n])
    g.record({
      kernel: { name: 'bench.linear.1', code },
      inputs: [x, w],
      outputs: [y],
      uniforms: [m, n, k],
      groups: [Math.ceil(n / 8), Math.ceil(m / 8), 1],
    })
    return y
  },
}
