// Elementwise kernels over flat f32 arrays. Tiers: all, in f32. Bindings: p, inputs, y.
import { type Activation, activation } from './activations.ts'
import { arrayOf, enableStored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock, unroll } from './text.ts'

/** y = Σ coefficient · input over 1 to 5 inputs; inputs shorter than y repeat. Scheduler updates are this. */
export const combine = (inputs: number, workgroup: number): string => `
${uniformBlock(['count', ...Array.from({ length: inputs }, (_, t) => [`size${t}`, `c${t}: f32`]).flat()])}
${bindings(...Array.from({ length: inputs }, (_, t): [string, string] => [`x${t}`, 'array<f32>']), ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  var v = 0.0;
  ${unroll(inputs, (t) => `v += p.c${t} * x${t}[i % p.size${t}];`)}
  y[i] = v;
}`

/** y = activation(x). */
export const activate = (name: Activation, workgroup: number): string => `
${uniformBlock(['count'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${activation(name)}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  y[i] = act(x[i]);
}`

/** y = x as f16. */
export const halve = (workgroup: number): string => `${enableStored('f16')}
${uniformBlock(['count'])}
${bindings(['x', 'array<f32>'], ['y!', arrayOf('f16')])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i < p.count) { y[i] = ${toStored('f16', 'x[i]')}; }
}`

/** Classifier-free guidance of x [2·batch, …], unconditional half first: y = u + g · (c - u). */
export const guide = (workgroup: number): string => `
${uniformBlock(['count', 'scale: f32'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let u = x[i];
  y[i] = u + p.scale * (x[i + p.count] - u);
}`
