import type { Checkpoint } from '../../runtime/weights/checkpoint.ts'
import { diffusersNames, fused, type Renaming, type Renamings, renamed, swapped } from '../original_names.ts'
import type { SD3Config } from './config.ts'

const block = 'transformer_blocks.#'

/** The layers of a block that image and text each have. */
function stream(of: 'x' | 'context'): [string, Renaming][] {
  const stored = `joint_blocks.#.${of}_block`
  const image = of === 'x'
  const [q, k, v] = image ? ['to_q', 'to_k', 'to_v'] : ['add_q_proj', 'add_k_proj', 'add_v_proj']
  const added = image ? '' : 'added_'
  const context = image ? '' : '_context'
  return [
    [`${stored}.adaLN_modulation.1`, renamed(`${block}.norm1${context}.linear`)],
    [`${stored}.attn.qkv`, fused([`${block}.attn.${q}`, 1], [`${block}.attn.${k}`, 1], [`${block}.attn.${v}`, 1])],
    [`${stored}.attn.ln_q`, renamed(`${block}.attn.norm_${added}q`)],
    [`${stored}.attn.ln_k`, renamed(`${block}.attn.norm_${added}k`)],
    [`${stored}.attn.proj`, renamed(`${block}.attn.${image ? 'to_out.0' : 'to_add_out'}`)],
    [`${stored}.mlp.fc1`, renamed(`${block}.ff${context}.net.0.proj`)],
    [`${stored}.mlp.fc2`, renamed(`${block}.ff${context}.net.2`)],
  ]
}

/** The image's second attention (SD3.5-medium). */
const DUAL: [string, Renaming][] = [
  [
    'joint_blocks.#.x_block.attn2.qkv',
    fused([`${block}.attn2.to_q`, 1], [`${block}.attn2.to_k`, 1], [`${block}.attn2.to_v`, 1]),
  ],
  ['joint_blocks.#.x_block.attn2.ln_q', renamed(`${block}.attn2.norm_q`)],
  ['joint_blocks.#.x_block.attn2.ln_k', renamed(`${block}.attn2.norm_k`)],
  ['joint_blocks.#.x_block.attn2.proj', renamed(`${block}.attn2.to_out.0`)],
]

/** The layers of Stability-AI/sd3.5, mmditx.py. */
const RENAMINGS: [string, Renaming][] = [
  ['pos_embed', renamed('pos_embed.pos_embed')],
  ['x_embedder.proj', renamed('pos_embed.proj')],
  ['context_embedder', renamed('context_embedder')],
  ['t_embedder.mlp.0', renamed('time_text_embed.timestep_embedder.linear_1')],
  ['t_embedder.mlp.2', renamed('time_text_embed.timestep_embedder.linear_2')],
  ['y_embedder.mlp.0', renamed('time_text_embed.text_embedder.linear_1')],
  ['y_embedder.mlp.2', renamed('time_text_embed.text_embedder.linear_2')],
  ...stream('x'),
  ...stream('context'),
  ...DUAL,
  ['final_layer.linear', renamed('proj_out')],
  ['final_layer.adaLN_modulation.1', swapped('norm_out.linear')],
]

const BLOCK = /^joint_blocks\.(\d+)\./

/** The last block has only shift and scale for its text, which goes no further. */
function renamingsOf(names: readonly string[]): Renamings {
  const last = names.reduce((most, name) => Math.max(most, Number(BLOCK.exec(name)?.[1] ?? 0)), 0)
  return new Map([
    ...RENAMINGS,
    [`joint_blocks.${last}.context_block.adaLN_modulation.1`, swapped(`${block}.norm1_context.linear`)],
  ])
}

/** A checkpoint of SD3 or 3.5 as Stability AI publishes it, by the names of diffusers. */
export const sd3OriginalNames = (checkpoint: Checkpoint): Checkpoint => diffusersNames(checkpoint, BLOCK, renamingsOf)

/** What layers of SD3 or 3.5 that adapters name are to diffusers. */
export const sd3OriginalLayers = ({ layers }: Pick<SD3Config, 'layers'>): Renamings =>
  renamingsOf([`joint_blocks.${layers - 1}.`])
