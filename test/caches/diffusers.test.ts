import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { unpacked } from '../../src/cli/verify/runners/packed.ts'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import type { TeamOptions } from '../../src/pipelines/team/team.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, type GoldenTensor, loadGolden, loadSafetensors } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

/** A call as diffusers takes it, with a cache; and which passes that spared: see fixtures/step_caches/make.py. */
interface Case {
  readonly model: string
  readonly prompt: string[]
  readonly negative_prompt?: string
  readonly height: number
  readonly width: number
  readonly num_inference_steps: number
  readonly guidance_scale: number
  readonly max_sequence_length?: number
  readonly fbcache?: number
  readonly teacache?: number
  readonly coefficients?: number[]
  readonly patches?: number
  readonly warmup?: number
  readonly reused: boolean[]
}

const FOLDER = new URL('../fixtures/step_caches/', import.meta.url)
const CASES: Record<string, Case> = JSON.parse(readFileSync(new URL('cases.json', FOLDER), 'utf8'))
const LATENTS = loadSafetensors(fileURLToPath(new URL('latents.safetensors', FOLDER)))
const STEPS = 6

/** Latents by pictures, channels, rows and columns, which FLUX packs. */
const plain = ({ height, width }: Case, { data, shape }: GoldenTensor): Float32Array =>
  shape.length === 3
    ? unpacked({ shape, data: data as Float32Array }, height / 16, width / 16).data
    : (data as Float32Array)

async function drawn(name: string, degrees: Partial<Degrees> = {}, rest: Partial<ParallelConfig> = {}) {
  const one = CASES[name]
  const config = { ...ON_ONE_DEVICE, ...rest, degrees: { ...ONE_RANK, ...degrees } }
  const team = await startLocalTeam(join(GOLDEN, one.model), config, { device: await testDevice() })
  const noise = plain(one, loadGolden(one.model)['input.latents'])
  const call: TeamOptions = {
    height: one.height,
    width: one.width,
    numInferenceSteps: one.num_inference_steps,
    guidanceScale: one.guidance_scale,
    negativePrompt: one.negative_prompt,
    maxSequenceLength: one.max_sequence_length,
    useResolutionBinning: false,
    latents: noise.slice(0, plain(one, LATENTS[name]).length),
    seed: 3,
    outputType: 'latent',
    ...(one.fbcache !== undefined
      ? { useFbcache: true, fbcacheThreshold: one.fbcache }
      : { useTeacache: true, relL1Thresh: one.teacache, teacacheCoefficients: one.coefficients }),
  }
  try {
    const { latents, spared } = await team.run(one.prompt, call)
    const expected = plain(one, LATENTS[name])
    return { error: relativeL2(latents.data, expected), spared, expected: one.reused }
  } finally {
    await team.close()
  }
}

/** All cases take twenty seconds: CI looks at those that the others follow from. */
const ALL = process.env.WEBDIT_ALL_CASES === '1'
const FEW = ['fbcache_flux', 'fbcache_hunyuan', 'teacache_flux', 'teacache_pixart']
const whole = Object.keys(CASES).filter((name) => !CASES[name].patches && (ALL || FEW.includes(name)))
type OnRanks = [name: string, degrees: Partial<Degrees>, rest?: Partial<ParallelConfig>]
/** What one device draws. */
const EXACT: OnRanks[] = [
  ['fbcache_sd3', { ulysses: 2, cfg: 2 }],
  ['fbcache_hunyuan', { pipefusion: 3, cfg: 2 }, { numPipelinePatch: 2, warmupSteps: STEPS }],
]
const MORE_EXACT: OnRanks[] = [
  ['fbcache_pixart', { tensor: 2, ring: 2 }],
  ['teacache_pixart', { ulysses: 2, cfg: 2 }],
  ['teacache_sd3', { pipefusion: 2, ulysses: 2 }, { numPipelinePatch: 2, warmupSteps: STEPS }],
]
/** Patches of PipeFusion decide for themselves. */
const PATCHED: OnRanks[] = [
  ['fbcache_flux_m2', { pipefusion: 3 }],
  ['teacache_flux_m2', { pipefusion: 2 }],
]
const MORE_PATCHED: OnRanks[] = [
  ['fbcache_flux_m2', { pipefusion: 1 }],
  ['fbcache_sd3_m2', { pipefusion: 2, ulysses: 2 }],
]

describe('a step cache decides and draws as the reference', () => {
  it.each(whole)('%s', async (name) => {
    const { error, spared, expected } = await drawn(name)
    expect(spared).toEqual(expected)
    expect(error).toBeLessThan(1e-4)
  })

  it.each([...EXACT, ...(ALL ? MORE_EXACT : [])])('%s on ranks: %o', async (name, degrees, rest) => {
    const { error, spared, expected } = await drawn(name, degrees, rest)
    expect(spared).toEqual(expected)
    expect(error).toBeLessThan(1e-4)
  })

  it.each([...PATCHED, ...(ALL ? MORE_PATCHED : [])])('%s in patches: %o', async (name, degrees) => {
    const { patches, warmup } = CASES[name]
    const { error, spared, expected } = await drawn(name, degrees, { numPipelinePatch: patches, warmupSteps: warmup })
    expect(spared).toEqual(expected)
    expect(error).toBeLessThan(1e-4)
  })
})
