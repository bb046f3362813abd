import { describe, expect, it } from 'vitest'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { bytesSent, type Workload } from '../../../src/parallel/cost/bytes.ts'
import { BLOCK, config } from './counted.ts'

// 192 tokens of 16 heads, which 2, 4 and 8 ranks share evenly.
const workload: Workload = {
  blocks: Array(8).fill(BLOCK),
  heads: 16,
  headDim: 72,
  outputs: 32,
  grid: { rows: 16, columns: 12 },
  pictures: 2,
  guided: true,
  steps: 20,
  latents: { channels: 4, patch: 2 },
  elementBytes: { stream: 4, operand: 2 },
}
const { steps } = workload
const L = 8
const [p, hs, pictures, batch] = [16 * 12, 16 * 72, 2, 4]
/** Bytes of all tokens' hidden states. */
const [operands, stream] = [2 * batch * p * hs, 4 * batch * p * hs]

const sent = (mesh: ParallelConfig, rank = 0) => Object.fromEntries(bytesSent(mesh, workload)[rank])

describe.each([2, 4, 8])('the table of docs/parallel.md: %i even shares', (N) => {
  const noise = { 'sp.noise': steps * ((N - 1) / N) * 4 * pictures * p * 32 }

  it('ulysses', () =>
    expect(sent(config({ ulysses: N }))).toEqual({
      'ulysses.qkv': (steps * L * 3 * (N - 1) * operands) / N ** 2,
      'ulysses.out': (steps * L * (N - 1) * operands) / N ** 2,
      ...noise,
    }))

  it('ring', () =>
    expect(sent(config({ ring: N }))).toEqual({ 'ring.kv': (steps * L * 2 * (N - 1) * operands) / N, ...noise }))

  it('distrifusion, which does not send in the last step', () =>
    expect(sent(config({ ring: N }, { distrifusion: true }))).toEqual({
      'distri.kv': ((steps - 1) * L * 2 * (N - 1) * operands) / N,
      ...noise,
    }))

  it('tensor', () => {
    const each = (steps * L * 3 * (N - 1) * stream) / N
    expect(sent(config({ tensor: N }))).toEqual({ 'tensor.sum': each, 'tensor.sum.sum': each })
  })

  it('pipefusion, whatever the number of blocks', () => {
    const mesh = config({ pipefusion: N }, { numPipelinePatch: N })
    for (let stage = 0; stage < N - 1; stage++)
      expect(sent(mesh, stage)).toEqual({ 'stage.activations': steps * stream })
    expect(sent(mesh, N - 1)).toEqual({ 'stage.latents': (steps - 1) * 4 * pictures * 4 * 4 * p })
  })
})
