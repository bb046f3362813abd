import { ConfigReader } from '../../runtime/config_reader.ts'
import { DitError } from '../../runtime/errors.ts'

/** What of BertModel's config.json shapes the computation. */
export interface BertConfig {
  readonly vocabulary: number
  readonly width: number
  readonly heads: number
  readonly hidden: number
  readonly layers: number
  /** Tokens at most: there is no position for more. */
  readonly positions: number
  /** Kinds of tokens: first and second text. */
  readonly types: number
  readonly eps: number
}

export function bertConfig(json: unknown): BertConfig {
  const read = new ConfigReader(json, 'BertModel')
  read.choice('hidden_act', ['gelu'], 'gelu')
  read.choice('position_embedding_type', ['absolute'], 'absolute')
  read.unsupported('is_decoder', 'webdit has the encoder alone')
  const width = read.integer('hidden_size', 768, 4, 1 << 16)
  const heads = read.integer('num_attention_heads', 12, 1, 1024)
  if (width % heads !== 0) {
    throw new DitError('bad-argument', `BertModel: hidden_size ${width} is no multiple of ${heads} attention heads`)
  }
  return {
    vocabulary: read.integer('vocab_size', 30_522, 1, 1 << 22),
    width,
    heads,
    hidden: read.integer('intermediate_size', 3072, 1, 1 << 20),
    layers: read.integer('num_hidden_layers', 12, 1, 1024),
    positions: read.integer('max_position_embeddings', 512, 1, 1 << 16),
    types: read.integer('type_vocab_size', 2, 1, 1 << 16),
    eps: read.number('layer_norm_eps', 1e-12, 0),
  }
}
