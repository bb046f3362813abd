import type { Parameters } from '../../runtime/weights/parameters.ts'
import { timestepEmbedderParameters } from '../timestep_embedder.ts'

/** The shape of a block in which text and image attend jointly. */
export interface JointBlockShape {
  readonly heads: number
  readonly headDim: number
  /** RMS norm of queries and keys. */
  readonly qkNorm: boolean
  /** The image attends to itself as well (SD3.5-medium). */
  readonly dual: boolean
  /** The last one of SD3: no text comes out. */
  readonly contextPreOnly: boolean
}

/** The weights of diffusers' CombinedTimestepTextProjEmbeddings, or of its namesake with guidance. */
export function timeTextParameters(of: Parameters, width: number, pooled: number, guidance: boolean): void {
  timestepEmbedderParameters(of.at('timestep_embedder'), width)
  if (guidance) timestepEmbedderParameters(of.at('guidance_embedder'), width)
  of.at('text_embedder').linear('linear_1', width, pooled).linear('linear_2', width, width)
}

/** The weights of diffusers' JointTransformerBlock and FluxTransformerBlock. */
export function jointBlockParameters(block: Parameters, shape: JointBlockShape): void {
  const { heads, headDim, qkNorm, dual, contextPreOnly } = shape
  const width = heads * headDim
  block.linear('norm1.linear', (dual ? 9 : 6) * width, width)
  block.linear('norm1_context.linear', (contextPreOnly ? 2 : 6) * width, width)

  const attn = block.at('attn')
  for (const part of ['to_q', 'to_k', 'to_v', 'add_q_proj', 'add_k_proj', 'add_v_proj']) {
    attn.linear(part, width, width, true, { out: heads })
  }
  attn.linear('to_out.0', width, width, true, { input: heads })
  if (!contextPreOnly) attn.linear('to_add_out', width, width, true, { input: heads })
  const norms = ['norm_q', 'norm_k', 'norm_added_q', 'norm_added_k']
  if (qkNorm) for (const norm of norms) attn.tensor(`${norm}.weight`, headDim)

  if (dual) {
    const attn2 = block.at('attn2')
    for (const part of ['to_q', 'to_k', 'to_v']) attn2.linear(part, width, width, true, { out: heads })
    attn2.linear('to_out.0', width, width, true, { input: heads })
    if (qkNorm) for (const norm of ['norm_q', 'norm_k']) attn2.tensor(`${norm}.weight`, headDim)
  }

  for (const ff of contextPreOnly ? ['ff'] : ['ff', 'ff_context']) {
    // Neurons are divided by fours, which kernels load at once.
    block.linear(`${ff}.net.0.proj`, 4 * width, width, true, { out: width })
    block.linear(`${ff}.net.2`, width, 4 * width, true, { input: width })
  }
}
