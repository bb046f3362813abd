import type { Activation } from '../../wgsl/activations.ts'
import * as code from '../../wgsl/elementwise.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel, storedAs } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** Σ coefficient · x of 1 to 5 tensors; the first gives the shape, shorter ones repeat along it. */
export function combine(g: Recorder, terms: readonly (readonly [x: Tensor, coefficient: number])[]): Tensor {
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create(terms[0][0].shape, 'f32', 'combine')
  g.record({
    kernel: kernel(`combine.${terms.length}.w${workgroup}`, () => code.combine(terms.length, workgroup)),
    inputs: terms.map(([x]) => x),
    outputs: [y],
    uniforms: [y.size, ...terms.flatMap(([x, c]) => [x.size, { f32: c }])],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}

/** a + b, where b's values repeat if it is shorter. */
export const add = (g: Recorder, a: Tensor, b: Tensor): Tensor =>
  combine(g, [
    [a, 1],
    [b, 1],
  ])

export function activate(g: Recorder, x: Tensor, name: Activation): Tensor {
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create(x.shape, 'f32', name)
  g.record({
    kernel: kernel(`activate.${name}.w${workgroup}`, () => code.activate(name, workgroup)),
    inputs: [x],
    outputs: [y],
    uniforms: [y.size],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}

/** x as an operand of matmuls: in f16 where the tier has it, else x itself. */
export function operand(g: Recorder, x: Tensor): Tensor {
  if (x.dtype === storedAs(g.device.target, 'operand')) return x
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create(x.shape, 'f16', x.label)
  g.record({
    kernel: kernel(`halve.w${workgroup}`, () => code.halve(workgroup)),
    inputs: [x],
    outputs: [y],
    uniforms: [y.size],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}

/** Classifier-free guidance: x [2·batch, …] with the unconditional half first → u + scale · (c − u) [batch, …]. */
export function guide(g: Recorder, x: Tensor, scale: number): Tensor {
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create([x.dim(0) / 2, ...x.shape.slice(1)], 'f32', 'guide')
  g.record({
    kernel: kernel(`guide.w${workgroup}`, () => code.guide(workgroup)),
    inputs: [x],
    outputs: [y],
    uniforms: [y.size, { f32: scale }],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}
