import { Parameters } from '../../runtime/weights/parameters.ts'
import type { ClipTextConfig } from './config.ts'

/** Every weight of CLIPTextModel, by checkpoint key. Names without `text_model.` are read as well: see clipTextName. */
export function clipTextParameters(c: ClipTextConfig): Parameters {
  const all = new Parameters()
  const text = all.at('text_model')
  const embeddings = text.at('embeddings')
  embeddings.matrix('token_embedding.weight', c.vocabulary, c.width)
  embeddings.matrix('position_embedding.weight', c.positions, c.width)
  for (let i = 0; i < c.layers; i++) {
    const layer = text.at('encoder').at('layers').at(i).of(i)
    layer.norm('layer_norm1', c.width).norm('layer_norm2', c.width)
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) layer.at('self_attn').linear(part, c.width, c.width)
    layer.at('mlp').linear('fc1', c.hidden, c.width).linear('fc2', c.width, c.hidden)
  }
  text.norm('final_layer_norm', c.width)
  return all
}

/** Those of CLIPTextModelWithProjection. */
export function clipTextProjectionParameters(c: ClipTextConfig): Parameters {
  return clipTextParameters(c).linear('text_projection', c.projection, c.width, false)
}

/** Recent releases of transformers leave `text_model.` away. */
export const clipTextName = (stored: string): string =>
  /^(embeddings|encoder|final_layer_norm)\./.test(stored) ? `text_model.${stored}` : stored

/** A buffer that older checkpoints hold. */
export const CLIP_IGNORED = [/^text_model\.embeddings\.position_ids$/]
