import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { denoisePart, joined, loadPart, type Pictures } from '../support/divided.ts'
import { GOLDEN, loadGolden } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { onMesh } from '../support/ranks.ts'
import { schedule } from '../support/schedule.ts'

const MODEL = fileURLToPath(new URL('../../models/emoji-pixart/', import.meta.url))
const ALL = process.env.WEBDIT_ALL_CASES === '1'

let transformer: Source
beforeAll(async () => {
  transformer = await openFolder(join(MODEL, 'transformer'))
})
afterAll(() => transformer.close())

interface StaleCase {
  readonly arguments: {
    readonly steps: number
    readonly guidance: number
    readonly patches?: number
    readonly ranks?: number
    readonly warmup: number
  }
  readonly tolerance: { readonly suggested: number }
}

/** Denoises a golden case in a mesh; the latents after each step, as its leader has them, and the last. */
async function run(name: string, config: ParallelConfig) {
  const meta = JSON.parse(readFileSync(join(GOLDEN, name, 'meta.json'), 'utf8')) as StaleCase
  const io = loadGolden(name)
  const floats = (key: string) => io[key].data as Float32Array
  const [count, channels, height, width] = io['input.latents'].shape
  const [, textLength, captionChannels] = io['input.prompt_embeds'].shape
  const mask = (key: string) => Array.from(io[key].data as BigInt64Array, Number)
  const pictures: Pictures = {
    count,
    height,
    width,
    channels,
    textLength,
    captionChannels,
    captions: Float32Array.from([...floats('input.negative_prompt_embeds'), ...floats('input.prompt_embeds')]),
    mask: Float32Array.from([...mask('input.negative_prompt_attention_mask'), ...mask('input.prompt_attention_mask')]),
    guidance: meta.arguments.guidance,
  }
  const scheduler = schedule(meta.arguments.steps)
  const steps: Float32Array[] = []
  const parts = await onMesh(config, async (rank) => {
    const part = await loadPart(rank, transformer)
    const final = await denoisePart(
      rank,
      part,
      pictures,
      floats('input.latents'),
      scheduler,
      async (_i, _t, progress) => {
        steps.push(await progress.latents())
      },
    )
    part.weights.free()
    return final
  })
  return { meta, io, steps, final: joined(parts) }
}

const pipefusion = (name: string, stages: number): ParallelConfig => {
  const { patches, warmup } = (JSON.parse(readFileSync(join(GOLDEN, name, 'meta.json'), 'utf8')) as StaleCase).arguments
  return {
    ...ON_ONE_DEVICE,
    degrees: { ...ONE_RANK, pipefusion: stages },
    numPipelinePatch: patches ?? 1,
    warmupSteps: warmup,
  }
}

describe('PipeFusion', () => {
  const cases: [string, number][] = [
    ['stale_kv_pipefusion_m2', 2],
    ['stale_kv_pipefusion_m4', 4],
    ['stale_kv_pipefusion_m4_w0', 3],
    ['stale_kv_pipefusion_m4_full_warmup', 2],
    ['stale_kv_pipefusion_m3_uneven', 1],
    ...(ALL ? ([['stale_kv_pipefusion_m8_256', 8]] as [string, number][]) : []),
  ]
  it.each(cases)('draws what the oracle draws: %s with %i stages', async (name, stages) => {
    const { meta, io, steps, final } = await run(name, pipefusion(name, stages))
    const expected = io['output.step_latents'].data as Float32Array
    const size = expected.length / steps.length
    for (const [i, latents] of steps.entries()) {
      expect(relativeL2(latents, expected.subarray(i * size, (i + 1) * size))).toBeLessThan(meta.tolerance.suggested)
    }
    const error = relativeL2(final, io['output.latents'].data as Float32Array)
    expect(error).toBeLessThan(meta.tolerance.suggested)
  })
})

describe('DistriFusion', () => {
  it.each(['stale_kv_distrifusion_n2', 'stale_kv_distrifusion_n4'])('draws what the oracle draws: %s', async (name) => {
    const { ranks, warmup } = (JSON.parse(readFileSync(join(GOLDEN, name, 'meta.json'), 'utf8')) as StaleCase).arguments
    const { meta, io, steps, final } = await run(name, {
      ...ON_ONE_DEVICE,
      degrees: { ...ONE_RANK, ulysses: ranks ?? 1 },
      warmupSteps: warmup,
      distrifusion: true,
    })
    const expected = io['output.step_latents'].data as Float32Array
    const size = expected.length / steps.length
    for (const [i, latents] of steps.entries()) {
      expect(relativeL2(latents, expected.subarray(i * size, (i + 1) * size))).toBeLessThan(meta.tolerance.suggested)
    }
    const error = relativeL2(final, io['output.latents'].data as Float32Array)
    expect(error).toBeLessThan(meta.tolerance.suggested)
  })
})
