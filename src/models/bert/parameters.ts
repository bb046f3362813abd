import { Parameters } from '../../runtime/weights/parameters.ts'
import type { BertConfig } from './config.ts'

/** Every weight of BertModel, by checkpoint key. */
export function bertParameters(c: BertConfig): Parameters {
  const all = new Parameters()
  const embeddings = all.at('embeddings')
  embeddings.matrix('word_embeddings.weight', c.vocabulary, c.width)
  embeddings.matrix('position_embeddings.weight', c.positions, c.width)
  embeddings.matrix('token_type_embeddings.weight', c.types, c.width)
  embeddings.norm('LayerNorm', c.width)
  for (let i = 0; i < c.layers; i++) {
    const layer = all.at('encoder').at('layer').at(i).of(i)
    for (const part of ['query', 'key', 'value']) layer.at('attention').at('self').linear(part, c.width, c.width)
    layer.at('attention').at('output').linear('dense', c.width, c.width).norm('LayerNorm', c.width)
    layer.linear('intermediate.dense', c.hidden, c.width)
    layer.at('output').linear('dense', c.width, c.hidden).norm('LayerNorm', c.width)
  }
  return all.linear('pooler.dense', c.width, c.width)
}

/** A buffer that older checkpoints hold. */
export const BERT_IGNORED = [/^embeddings\.position_ids$/]
