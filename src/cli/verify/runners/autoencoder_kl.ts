import type { AutoencoderKLConfig } from '../../../models/autoencoder_kl/config.ts'
import { decode } from '../../../models/autoencoder_kl/decode.ts'
import { encode } from '../../../models/autoencoder_kl/encode.ts'
import { posterior } from '../../../models/autoencoder_kl/posterior.ts'
import { type Tiling, tiledDecode, tiledEncode } from '../../../models/autoencoder_kl/tiled.ts'
import { DitError } from '../../../runtime/errors.ts'
import type { Recorder } from '../../../runtime/recorder.ts'
import type { Tensor } from '../../../runtime/tensor.ts'
import type { Weights } from '../../../runtime/weights/weights.ts'
import { isRecord } from '../case.ts'
import type { HostArray } from '../golden_io.ts'
import type { Run } from '../run.ts'
import { calls } from './calls.ts'

type Half = (g: Recorder, c: AutoencoderKLConfig, w: Weights, x: Tensor, tiling?: Tiling) => Promise<Tensor>

export const autoencoderKL = calls('AutoencoderKL', {
  decode: (run) => decodes(run, decode),
  tiled_decode: (run) => decodes(run, tiledDecode),
  encode: (run) => encodes(run, encode),
  tiled_encode: (run) => encodes(run, tiledEncode),
})

async function decodes(run: Run, half: Half): Promise<void> {
  const sample = await outputOf(run, half, 'z')
  // The decoder puts out -1 to 1: a range of 2.
  await run.compare('output.sample', sample, { range: 2 })
}

async function encodes(run: Run, half: Half): Promise<void> {
  const { shape, data } = await outputOf(run, half, 'x')
  const { mean, logvar } = posterior(Float32Array.from(data), shape)
  const [batch, channels, ...size] = shape
  const halfShape = [batch, channels / 2, ...size]
  await run.compare('output.mean', { shape: halfShape, data: mean })
  await run.compare('output.logvar', { shape: halfShape, data: logvar })
}

function outputOf(run: Run, half: Half, argument: string): Promise<HostArray> {
  const tiling = tilingOf(run)
  return run.withNetwork('AutoencoderKL', async ({ config, weights }) => {
    const { shape, data } = await run.tensor(argument)
    return run.computeTensor((g) => half(g, config, weights, g.upload(Float32Array.from(data), shape), tiling))
  })
}

/** The tiles that meta.json states for a run, where it states any. */
function tilingOf({ name, meta: { tiling } }: Run): Tiling | undefined {
  if (tiling === undefined) return undefined
  const { tile_latent_min_size, tile_overlap_factor } = isRecord(tiling) ? tiling : {}
  if (typeof tile_latent_min_size === 'number' && typeof tile_overlap_factor === 'number') {
    return { tileLatentMinSize: tile_latent_min_size, tileOverlapFactor: tile_overlap_factor }
  }
  throw new DitError('corrupt', `${name}: meta.json has the tiling ${JSON.stringify(tiling)}`)
}
