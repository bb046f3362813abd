// conv2d, rung 1: one output value a thread, one input value at a time. 3x3 windows, channels last.
// SwiftShader, two cores, 64 to 64 channels at 64 x 64: 0.16 GFLOP/s; shipped (src/wgsl/matmul.ts): 2.5 GFLOP/s.
import { bindings, entry, flatGroups, flatIndex, uniformBlock } from '../../../src/wgsl/text.ts'
import type { Contestant } from '../../race.ts'

const code = `
${uniformBlock(['count', 'height', 'width', 'input', 'output'])}
${bindings(['x', 'array<f32>'], ['w', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(64)} {
  ${flatIndex(64)}
  if (i >= p.count) { return; }
  let channel = i % p.output;
  let column = i32((i / p.output) % p.width);
  let row = i32((i / (p.output * p.width)) % p.height);
  let picture = i32(i / (p.output * p.width * p.height));
  var sum = 0.0;
  for (var tap = 0; tap < 9; tap++) {
    let r = row + tap / 3 - 1;
    let c = column + tap % 3 - 1;
    if (r < 0 || c < 0 || r >= i32(p.height) || c >= i32(p.width)) { continue; }
    let pixel = u32((picture * i32(p.height) + r) * i32(p.width) + c) * p.input;
    let weight = (channel * 9u + u32(tap)) * p.input;
    for (var k = 0u; k < p.input; k++) { sum += x[pixel + k] * w[weight + k]; }
  }
  y[i] = sum;
}`

export const naive: Contestant = {
  name: '1 naive',
  record(g, { x, w }) {
    const [batch, height, width, input] = x.shape
    const y = g.create([batch, height, width, w.dim(0)])
    g.record({
      kernel: { name: 'bench.conv2d.1', code },
      inputs: [x, w],
      outputs: [y],
      uniforms: [y.size, height, width, input, w.dim(0)],
      groups: flatGroups(y.size, 64),
    })
    return y
  },
}
