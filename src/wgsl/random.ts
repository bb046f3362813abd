// Random values: y = mean + spread · u with u uniform from -1 to 1, of a seed and the place alone (a PCG hash, Jarzynski and
// Olano 2020), so that a tensor is the same however it is divided among dispatches. Tiers: all. Bindings: p, y.
import { arrayOf, enableStored, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const randomName = (to: Stored, workgroup: number): string => `random.${to}.w${workgroup}`

const HASH = `fn hash(v: u32) -> u32 {
  let state = v * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}`

export const random = (to: Stored, workgroup: number): string => `${enableStored(to)}
${uniformBlock(['count', 'seed', 'mean: f32', 'spread: f32'])}
${bindings(['y!', arrayOf(to)])}
${HASH}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let u = f32(hash(i ^ p.seed) >> 8u) * (2.0 / 16777216.0) - 1.0;
  y[i] = ${toStored(to, 'p.mean + p.spread * u')};
}`

export const randomNumbersName = (workgroup: number): string => `randomNumbers.w${workgroup}`

/** A weight of few bits: `numbers` words of any bits, then the same two f16 in each word of the scales. */
export const randomNumbers = (
  workgroup: number,
): string => `${uniformBlock(['count', 'seed', 'numbers', 'one: f32', 'other: f32'])}
${bindings(['y!', 'array<u32>'])}
${HASH}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  y[i] = select(pack2x16float(vec2f(p.one, p.other)), hash(i ^ p.seed), i < p.numbers);
}`
