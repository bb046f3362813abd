/** What llama.cpp calls the tensors of a layer (gguf-py's tensor_mapping.py), and transformers. */
const LAYERS: Readonly<Record<string, string>> = {
  attn_norm: 'layer.0.layer_norm',
  attn_q: 'layer.0.SelfAttention.q',
  attn_k: 'layer.0.SelfAttention.k',
  attn_v: 'layer.0.SelfAttention.v',
  attn_o: 'layer.0.SelfAttention.o',
  attn_rel_b: 'layer.0.SelfAttention.relative_attention_bias',
  ffn_norm: 'layer.1.layer_norm',
  ffn_gate: 'layer.1.DenseReluDense.wi_0',
  ffn_up: 'layer.1.DenseReluDense.wi_1',
  ffn_down: 'layer.1.DenseReluDense.wo',
}

const OTHERS: Readonly<Record<string, string>> = {
  'token_embd.weight': 'shared.weight',
  'enc.output_norm.weight': 'encoder.final_layer_norm.weight',
}

/** The key of a stored tensor, where llama.cpp's converter named it; stable-diffusion.cpp keeps the names of transformers. */
export function t5Name(stored: string): string {
  const [, block, layer] = /^enc\.blk\.(\d+)\.(\w+)\.weight$/.exec(stored) ?? []
  if (layer && Object.hasOwn(LAYERS, layer)) return `encoder.block.${block}.${LAYERS[layer]}.weight`
  return Object.hasOwn(OTHERS, stored) ? OTHERS[stored] : stored
}
