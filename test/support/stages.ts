import { expect } from 'vitest'
import type { Execution } from '../../src/runtime/execution.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import type { Tensor } from '../../src/runtime/tensor.ts'

/** What one stage hands to the next: hidden states of image and text. */
interface Handed {
  readonly latents: undefined
  readonly hidden: Tensor
  readonly textHidden: Tensor | undefined
}

/** Runs a network of joint blocks whole, and in two stages cut at each place: all must give the same bits. */
export async function expectSameInStages(
  g: Recorder,
  end: number,
  stage: (given: Handed | object, blocks: Execution['blocks']) => Promise<{ image: Tensor; text?: Tensor }>,
): Promise<void> {
  const expected = await g.read((await stage({}, { first: 0, end, head: true, tail: true })).image)
  for (let cut = 0; cut < end; cut++) {
    const { image, text } = await stage({}, { first: 0, end: cut, head: true, tail: false })
    const handed: Handed = { latents: undefined, hidden: image, textHidden: text }
    const divided = await stage(handed, { first: cut, end, head: false, tail: true })
    expect(await g.read(divided.image)).toEqual(expected)
  }
}
