import type { Checkpoint } from '../../runtime/weights/checkpoint.ts'
import { diffusersNames, fused, type Renaming, type Renamings, renamed, swapped } from '../original_names.ts'

/** The layers of a double block that image and text each have. */
function stream(of: 'img' | 'txt'): [string, Renaming][] {
  const stored = `double_blocks.#.${of}`
  const block = 'transformer_blocks.#'
  const image = of === 'img'
  const [q, k, v] = image ? ['to_q', 'to_k', 'to_v'] : ['add_q_proj', 'add_k_proj', 'add_v_proj']
  const added = image ? '' : 'added_'
  const context = image ? '' : '_context'
  return [
    [`${stored}_mod.lin`, renamed(`${block}.norm1${context}.linear`)],
    [`${stored}_attn.qkv`, fused([`${block}.attn.${q}`, 1], [`${block}.attn.${k}`, 1], [`${block}.attn.${v}`, 1])],
    [`${stored}_attn.norm.query_norm`, renamed(`${block}.attn.norm_${added}q`)],
    [`${stored}_attn.norm.key_norm`, renamed(`${block}.attn.norm_${added}k`)],
    [`${stored}_attn.proj`, renamed(`${block}.attn.${image ? 'to_out.0' : 'to_add_out'}`)],
    [`${stored}_mlp.0`, renamed(`${block}.ff${context}.net.0.proj`)],
    [`${stored}_mlp.2`, renamed(`${block}.ff${context}.net.2`)],
  ]
}

const embedder = (stored: string, name: string): [string, Renaming][] => [
  [`${stored}.in_layer`, renamed(`time_text_embed.${name}.linear_1`)],
  [`${stored}.out_layer`, renamed(`time_text_embed.${name}.linear_2`)],
]

const single = 'single_transformer_blocks.#'

/** The layers of black-forest-labs/flux, src/flux/model.py. */
const RENAMINGS: Renamings = new Map([
  ['img_in', renamed('x_embedder')],
  ['txt_in', renamed('context_embedder')],
  ...embedder('time_in', 'timestep_embedder'),
  ...embedder('vector_in', 'text_embedder'),
  ...embedder('guidance_in', 'guidance_embedder'),
  ...stream('img'),
  ...stream('txt'),
  ['single_blocks.#.modulation.lin', renamed(`${single}.norm.linear`)],
  // A feed-forward is four times as wide as the stream.
  [
    'single_blocks.#.linear1',
    fused(
      [`${single}.attn.to_q`, 1],
      [`${single}.attn.to_k`, 1],
      [`${single}.attn.to_v`, 1],
      [`${single}.proj_mlp`, 4],
    ),
  ],
  ['single_blocks.#.linear2', renamed(`${single}.proj_out`)],
  ['single_blocks.#.norm.query_norm', renamed(`${single}.attn.norm_q`)],
  ['single_blocks.#.norm.key_norm', renamed(`${single}.attn.norm_k`)],
  ['final_layer.linear', renamed('proj_out')],
  ['final_layer.adaLN_modulation.1', swapped('norm_out.linear')],
])

/** A checkpoint of FLUX.1 as Black Forest Labs publish it, by the names of diffusers. */
export const fluxOriginalNames = (checkpoint: Checkpoint): Checkpoint =>
  diffusersNames(checkpoint, /^(double|single)_blocks\.\d/, () => RENAMINGS)

/** The layers of a block that x-flux adapts, by the names that it gives their adapters (XLabs-AI/x-flux, src/flux/modules/layers.py). */
const X_FLUX: Renamings = new Map([
  ['double_blocks.#.processor.qkv_lora1', RENAMINGS.get('double_blocks.#.img_attn.qkv')!],
  ['double_blocks.#.processor.qkv_lora2', RENAMINGS.get('double_blocks.#.txt_attn.qkv')!],
  ['double_blocks.#.processor.proj_lora1', RENAMINGS.get('double_blocks.#.img_attn.proj')!],
  ['double_blocks.#.processor.proj_lora2', RENAMINGS.get('double_blocks.#.txt_attn.proj')!],
  [
    'single_blocks.#.processor.qkv_lora',
    fused([`${single}.attn.to_q`, 1], [`${single}.attn.to_k`, 1], [`${single}.attn.to_v`, 1]),
  ],
  ['single_blocks.#.processor.proj_lora', RENAMINGS.get('single_blocks.#.linear2')!],
])

/** What layers of FLUX.1 that adapters name are to diffusers. */
export const fluxOriginalLayers = (): Renamings => new Map([...RENAMINGS, ...X_FLUX])
