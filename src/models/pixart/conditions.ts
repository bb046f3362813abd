import { DitError } from '../../runtime/errors.ts'
import { activate, concat, linear } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { embedTimesteps } from '../timestep_embedder.ts'
import type { PixArtConfig } from './config.ts'

/** PixArt-α's size conditions, of each batch entry. */
export interface MicroConditions {
  /** Height and width in pixels, [batch, 2]. */
  readonly resolution: ArrayLike<number>
  /** height / width, [batch, 1]. */
  readonly aspectRatio: ArrayLike<number>
}

/**
 * AdaLayerNormSingle: what all blocks derive their modulation from.
 *
 * @returns the embedded timestep [batch, width] and the modulation [batch, 6 · width]
 */
export function timestepConditions(
  g: Recorder,
  c: PixArtConfig,
  w: Weights,
  timesteps: ArrayLike<number>,
  conditions: MicroConditions | undefined,
): [embedded: Tensor, modulation: Tensor] {
  const emb = w.at('emb')
  let sizes: Tensor | undefined
  if (c.additionalConditions) {
    if (!conditions) {
      throw new DitError('bad-argument', 'this PixArt model needs a resolution and an aspect ratio as conditions')
    }
    sizes = sizeEmbedding(g, emb, conditions)
  }
  const embedded = embedTimesteps(g, emb.at('timestep_embedder'), timesteps, sizes)
  return [embedded, linear(g, activate(g, embedded, 'silu'), w.affine('linear'))]
}

/** Height, width and aspect ratio, a third of the width each: [batch, width]. */
function sizeEmbedding(g: Recorder, w: Weights, conditions: MicroConditions): Tensor {
  const resolution = embedTimesteps(g, w.at('resolution_embedder'), conditions.resolution) // [batch · 2, width / 3]
  const ratio = embedTimesteps(g, w.at('aspect_ratio_embedder'), conditions.aspectRatio) // [batch, width / 3]
  return concat(g, resolution, ratio, ratio.dim(0))
}
