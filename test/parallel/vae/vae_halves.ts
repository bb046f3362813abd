import type { AutoencoderKLConfig } from '../../../src/models/autoencoder_kl/config.ts'
import { decode } from '../../../src/models/autoencoder_kl/decode.ts'
import { encode } from '../../../src/models/autoencoder_kl/encode.ts'
import {
  parallelDecode,
  parallelDecodeTo,
  parallelEncode,
  parallelEncodeTo,
} from '../../../src/pipelines/parallel_vae.ts'
import type { Share } from '../../../src/runtime/shares.ts'
import type { Weights } from '../../../src/runtime/weights/weights.ts'
import { testRecorder } from '../../support/device.ts'
import { onRanks } from '../../support/ranks.ts'

/** An autoencoder on the test device, which all ranks share. */
export interface Vae {
  readonly config: AutoencoderKLConfig
  readonly weights: Weights
}

export interface Values {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** Either half, on one device and on ranks. */
export const HALVES = {
  decode: { whole: decode, part: parallelDecode, to: parallelDecodeTo },
  encode: { whole: encode, part: parallelEncode, to: parallelEncodeTo },
}
export type Half = keyof typeof HALVES

export async function onOneDevice(half: Half, { config, weights }: Vae, x: Values): Promise<Values> {
  const g = await testRecorder()
  try {
    const y = await g.scope(() => HALVES[half].whole(g, config, weights, g.upload(x.data, x.shape)))
    return { data: await g.read(y), shape: [...y.shape] }
  } finally {
    g.reset()
  }
}

/** What each rank has in the end. */
export interface RankResult {
  readonly rows?: Values
  readonly share: Share
  readonly sent: ReadonlyMap<string, number>
}

/** Each rank's part, of ranks that are numbered from the bottom of the picture to its top: their order is the group's. */
export async function partsOn(
  count: number,
  half: Half,
  vae: Vae,
  x: Values,
  speeds?: number[],
): Promise<RankResult[]> {
  const ranks = Array.from({ length: count }, (_, k) => count - 1 - k)
  const results = await onRanks(count, async ({ g, fabric }) => {
    const group = { ranks, index: ranks.indexOf(fabric.rank) }
    const z = g.upload(x.data, x.shape)
    const { rows, shares } = await HALVES[half].part(g, vae.config, vae.weights, z, { fabric, group, speeds })
    const read = rows && { data: await g.read(rows), shape: [...rows.shape] }
    return { rows: read, share: shares[group.index], sent: fabric.sent }
  })
  return ranks.map((rank) => results[rank])
}

/** The rows of all ranks in one, on the host. */
export function stacked(parts: readonly RankResult[], shape: readonly number[]): Float32Array {
  const [pictures, channels, height, width] = shape
  const out = new Float32Array(pictures * channels * height * width).fill(Number.NaN)
  for (const { rows, share } of parts) {
    const size = (share.end - share.first) * width
    for (let plane = 0; rows && plane < pictures * channels; plane++) {
      out.set(rows.data.subarray(plane * size, (plane + 1) * size), (plane * height + share.first) * width)
    }
  }
  return out
}
