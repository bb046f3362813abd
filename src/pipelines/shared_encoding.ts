import { encode } from '../models/autoencoder_kl/encode.ts'
import { exceedsTile, tiledEncode } from '../models/autoencoder_kl/tiled.ts'
import type { Component } from '../models/component.ts'
import { crewGroup, type Ranks } from '../parallel/crew/ranks.ts'
import { leaderOf } from '../parallel/crew/stages.ts'
import { broadcast } from '../parallel/fabric/collectives.ts'
import type { TensorSpec } from '../parallel/fabric/transport.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { parallelEncodeTo } from './parallel_vae.ts'
import { decoders } from './shared_decoding.ts'

type Autoencoder = Component<'AutoencoderKL'>

/**
 * What the autoencoder makes of one picture, on every rank of a crew: those that decode, and so have its weights, encode,
 * and the crew's leader tells the others.
 *
 * @param pixels [1, 3, height, width], -1 to 1; asked for on the ranks that encode
 * @param latent height and width of the latents
 * @returns moments [1, 2 · latentChannels, height, width]
 */
export async function sharedMoments(
  g: Recorder,
  vae: Autoencoder,
  ranks: Ranks,
  pixels: () => Tensor,
  latent: readonly [height: number, width: number],
  tiling = false,
): Promise<Tensor> {
  const own = await encodeTogether(g, vae, ranks, pixels, tiling)
  if (!ranks.fabric) return own!
  const crew = crewGroup(ranks)
  const expected: TensorSpec = { shape: [1, 2 * vae.config.latentChannels, ...latent], dtype: 'f32' }
  const given = own ? [own] : [expected]
  const root = crew.ranks.indexOf(leaderOf(ranks))
  const [moments] = await broadcast(g, ranks.fabric, crew, root, 'vae.moments', given as Tensor[] | TensorSpec[])
  return moments
}

/** The moments, on the crew's leader. */
async function encodeTogether(
  g: Recorder,
  { config, weights }: Autoencoder,
  ranks: Ranks,
  pixels: () => Tensor,
  tiling: boolean,
): Promise<Tensor | undefined> {
  const group = decoders(ranks)
  if (group.index < 0) return undefined
  const x = pixels()
  if (ranks.fabric && group.ranks.length > 1) {
    const speeds = group.ranks.map((rank) => ranks.speeds[rank] ?? 1)
    return parallelEncodeTo(0, g, config, weights, x, { fabric: ranks.fabric, group, speeds })
  }
  const tiled = tiling && exceedsTile(x, config.sampleSize)
  return tiled ? tiledEncode(g, config, weights, x) : encode(g, config, weights, x)
}
