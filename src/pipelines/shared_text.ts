import type { Component } from '../models/component.ts'
import { crewGroup, type Ranks } from '../parallel/crew/ranks.ts'
import { broadcast } from '../parallel/fabric/collectives.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { encodeWithT5, type TokenBatch } from './text.ts'

/** Whether this rank runs the text encoder: one of a crew does, or all with a share of the weights each. */
export const encodesText = (ranks: Ranks): boolean => ranks.config.shardT5Encoder || crewGroup(ranks).index === 0

/** T5's hidden states [batch, length, width], on every rank of a crew: encoded once, and told to the others. */
export async function sharedText(
  g: Recorder,
  ranks: Ranks,
  t5: Component<'T5EncoderModel'>,
  tokens: TokenBatch,
): Promise<Tensor> {
  const group = crewGroup(ranks)
  if (!ranks.fabric || ranks.config.shardT5Encoder) return encodeWithT5(g, t5, tokens)
  const spec = { shape: [tokens.batch, tokens.length, t5.config.width], dtype: 'f32' as const }
  const given = group.index === 0 ? [await encodeWithT5(g, t5, tokens)] : [spec]
  const [hidden] = await broadcast(g, ranks.fabric, group, 0, 'text', given as Tensor[] | [typeof spec])
  return hidden
}
