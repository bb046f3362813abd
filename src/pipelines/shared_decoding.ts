import type { Component } from '../models/component.ts'
import { crewGroup, type Ranks } from '../parallel/crew/ranks.ts'
import { leaderOf } from '../parallel/crew/stages.ts'
import { broadcast } from '../parallel/fabric/collectives.ts'
import type { Group } from '../parallel/mesh/mesh.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { type Decoder, unscaled, wholeDecoder } from './decode_latents.ts'
import { parallelDecodeTo } from './parallel_vae.ts'

type Autoencoder = Component<'AutoencoderKL'>

/** The ranks of a crew that decode its pictures together, the crew's leader first. */
export function decoders(ranks: Ranks): Group {
  const crew = crewGroup(ranks).ranks
  const leader = crew.indexOf(leaderOf(ranks))
  const ordered = [...crew.slice(leader), ...crew.slice(0, leader)].slice(0, ranks.config.vaeParallelSize)
  return { ranks: ordered, index: ordered.indexOf(ranks.mesh.rank) }
}

/** Whether this rank has a part in decoding. */
export const decodes = (ranks: Ranks): boolean => decoders(ranks).index >= 0

/** How the leader of a crew decodes: by itself, or with others, who `assist`. */
export function decoderOf(g: Recorder, vae: Autoencoder, ranks: Ranks, tiling?: boolean): Decoder {
  const group = decoders(ranks)
  if (!ranks.fabric || group.ranks.length === 1) return wholeDecoder(g, vae, tiling)
  return async (latents) => (await decodeTogether(g, vae, ranks, group, latents))!
}

/** Takes part in decoding so many pictures, on a rank that does not lead. */
export async function assist(
  g: Recorder,
  vae: Autoencoder,
  ranks: Ranks,
  [pictures, ...one]: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  g.device.arena.trim()
  for (let i = 0; i < pictures; i++) {
    throwIfAborted(signal)
    await decodeTogether(g, vae, ranks, decoders(ranks), [1, ...one])
  }
  await g.device.finished()
}

/** @param latents on the leader; on the others their shape */
function decodeTogether(
  g: Recorder,
  vae: Autoencoder,
  ranks: Ranks,
  group: Group,
  latents: (() => Tensor) | readonly number[],
): Promise<Tensor | undefined> {
  const fabric = ranks.fabric!
  const given = typeof latents === 'function' ? [latents()] : [{ shape: latents, dtype: 'f32' as const }]
  const speeds = group.ranks.map((rank) => ranks.speeds[rank] ?? 1)
  return g.phase('decode', () =>
    g.scope(async () => {
      const [told] = await broadcast(g, fabric, group, 0, 'vae.latents', given as Tensor[])
      const z = unscaled(g, vae.config, told)
      return parallelDecodeTo(0, g, vae.config, vae.weights, z, { fabric, group, speeds })
    }),
  )
}
