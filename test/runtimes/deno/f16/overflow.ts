// A T5 encoder whose gated hidden states exceed f16, as those of the published XXL do: the f16 tier against the f32 one.
import { type T5Config, t5Parameters } from '../../../../src/models/t5/config.ts'
import { t5Encoder } from '../../../../src/models/t5/encoder.ts'
import { Device } from '../../../../src/runtime/device.ts'
import type { GpuPlatform } from '../../../../src/runtime/platform/platform.ts'
import { Recorder } from '../../../../src/runtime/recorder.ts'
import { openCheckpoint } from '../../../../src/runtime/weights/checkpoint.ts'
import { loadWeights } from '../../../../src/runtime/weights/load.ts'
import { memorySource } from '../../../../src/runtime/weights/memory_source.ts'
import { type HostTensor, writeSafetensors } from '../../../../src/runtime/weights/safetensors_writer.ts'
import { random, relativeL2 } from '../../../support/numbers.ts'
import type { Result } from './check.ts'

const CONFIG: T5Config = {
  vocabulary: 40,
  width: 64,
  heads: 4,
  headDim: 16,
  hidden: 96,
  layers: 2,
  buckets: 32,
  maxDistance: 128,
  eps: 1e-6,
}

/** Gated values come to some 10^6. */
const AMPLITUDES: Readonly<Record<string, number>> = { wi_0: 60, wi_1: 2000, wo: 1e-2 }

export async function overflow(platform: GpuPlatform): Promise<Result> {
  const tensors: Record<string, HostTensor> = {}
  for (const [name, { shape }] of t5Parameters(CONFIG).all) {
    const amplitude = AMPLITUDES[name.split('.').at(-2)!] ?? (shape.length === 1 ? 1 : 0.3)
    const data = random(
      shape.reduce((a, b) => a * b, 1),
      amplitude,
    )
    // Norms around 1.
    tensors[name] = { dtype: 'F32', shape, data: shape.length === 1 ? data.map((v) => 1 + v / 4) : data }
  }
  const source = memorySource(new Map([['model.safetensors', writeSafetensors(tensors)]]))
  const ids = Array.from({ length: 12 }, (_, i) => (i * 7) % CONFIG.vocabulary)
  const encoded = async (tier: 'f32' | 'f16'): Promise<Float32Array> => {
    const device = await Device.open(platform, { tier })
    const weights = await loadWeights(device, await openCheckpoint(source, '', 'model'), t5Parameters(CONFIG))
    const g = new Recorder(device)
    const hidden = await g.read(await t5Encoder(g, CONFIG, weights, ids, 1))
    device.close()
    return hidden
  }
  const [exact, half] = [await encoded('f32'), await encoded('f16')]
  return { name: 'T5 with hidden states beyond f16', error: relativeL2(half, exact), limit: 5e-3 }
}
