// What ranks cut and put together in f16: windows at odd places, and partial attention.
import type { Device } from '../../../../src/runtime/device.ts'
import { join, mergeAttention, narrow, place } from '../../../../src/runtime/ops/index.ts'
import type { Recorder } from '../../../../src/runtime/recorder.ts'
import { compared, type Input, Inputs, type Result } from './check.ts'

export async function* parts(device: Device): AsyncGenerator<Result> {
  for (const [shape, axis] of [
    [[3, 5, 7], 0],
    [[3, 5, 7], 1],
    [[3, 5, 7], 2],
    [[2, 9, 6], 1],
    [[17], 0],
  ] as const) {
    yield* windows(device, [...shape], axis)
  }
  for (const [a, b] of [
    ['f32', 'f16'],
    ['f16', 'f16'],
    ['f16', 'f32'],
  ] as const) {
    for (const dim of [5, 8]) {
      yield merged(device, a, b, dim, 'stream')
      yield merged(device, a, b, dim, 'operand')
    }
  }
}

async function* windows(device: Device, shape: number[], axis: number): AsyncGenerator<Result> {
  const inputs = new Inputs(device)
  const { g } = inputs
  const x = inputs.of('f16', shape)
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const at = (i: number) => Math.floor(i / inner) % shape[axis]
  const exactly = async (name: string, y: Parameters<typeof compared>[2], expected: Float32Array) => ({
    ...(await compared(`${name} of [${shape}] along axis ${axis}`, g, y, expected, 'f16')),
    limit: 0,
  })
  const odd = narrow(g, x.tensor, axis, 1, shape[axis])
  yield exactly(
    'narrow',
    odd,
    x.values.filter((_, i) => at(i) >= 1),
  )
  yield exactly('join', join(g, [narrow(g, x.tensor, axis, 0, 1), odd], axis), x.values)
  const y = inputs.of('f16', shape)
  place(g, y.tensor, axis, 1, narrow(g, x.tensor, axis, 0, 1))
  const before = x.values.filter((_, i) => at(i) === 0)
  let next = 0
  yield exactly(
    'place',
    y.tensor,
    y.values.map((v, i) => (at(i) === 1 ? before[next++] : v)),
  )
  g.reset()
}

async function merged(
  device: Device,
  a: 'f32' | 'f16',
  b: 'f32' | 'f16',
  dim: number,
  as: 'stream' | 'operand',
): Promise<Result> {
  const inputs = new Inputs(device)
  const g: Recorder = inputs.g
  const [heads, queries] = [3, 7]
  const part = (type: 'f32' | 'f16') => ({
    out: inputs.of(type, [2, queries, heads * dim]),
    lse: inputs.of('f32', [2, heads, queries], 3),
  })
  const [p, q] = [part(a), part(b)]
  const tensors = ({ out, lse }: { out: Input; lse: Input }) => ({ out: out.tensor, lse: lse.tensor })
  const { out } = mergeAttention(g, tensors(p), tensors(q), { as })
  const expected = p.out.values.map((v, i) => {
    const [n, token, head] = [
      Math.floor(i / dim / heads / queries),
      Math.floor(i / dim / heads) % queries,
      Math.floor(i / dim) % heads,
    ]
    const row = (n * heads + head) * queries + token
    const share = 1 / (1 + Math.exp(p.lse.values[row] - q.lse.values[row]))
    return v + share * (q.out.values[i] - v)
  })
  const result = await compared(
    `merge of ${a} and ${b}, ${dim} wide`,
    g,
    out,
    expected,
    as === 'operand' ? 'f16' : 'f32',
  )
  g.reset()
  return result
}
