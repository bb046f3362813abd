import { describe, expect, it } from 'vitest'
import { FLUX_TEACACHE } from '../../src/caches/teacache_coefficients.ts'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { EngineArgs } from '../../src/pipelines/engine_args.ts'
import { fluxFamily } from '../../src/pipelines/families/flux.ts'
import { hunyuanDiTFamily } from '../../src/pipelines/families/hunyuan_dit.ts'
import { pixartFamily } from '../../src/pipelines/families/pixart.ts'
import { sd3Family } from '../../src/pipelines/families/sd3.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { checkCacheDivided, stepCacheOf } from '../../src/pipelines/step_cache.ts'

const flux = (options: PipelineOptions) => stepCacheOf('FluxPipeline', fluxFamily, options)

describe('what a call says of step caches', () => {
  it('is none unless one is asked for', () => {
    expect(flux({})).toBeUndefined()
  })

  it('has the published thresholds and coefficients', () => {
    expect(flux({ useFbcache: true })).toEqual({ kind: 'fbcache', threshold: 0.12 })
    expect(flux({ useTeacache: true })).toEqual({ kind: 'teacache', threshold: 0.25, coefficients: FLUX_TEACACHE })
  })

  it.each<[PipelineOptions, RegExp]>([
    [{ useFbcache: true, useTeacache: true }, /useFbcache and useTeacache exclude each other/],
    [{ useFbcache: true, fbcacheThreshold: -0.1 }, /fbcacheThreshold is -0.1, expected a number from 0 to 1/],
    [{ useFbcache: true, fbcacheThreshold: 1.5 }, /fbcacheThreshold is 1.5/],
    [{ useFbcache: true, fbcacheThreshold: Number.NaN }, /fbcacheThreshold is NaN/],
    [{ useTeacache: true, relL1Thresh: 11 }, /relL1Thresh is 11, expected a number from 0 to 10/],
    [{ fbcacheThreshold: 0.1 }, /fbcacheThreshold is given without useFbcache/],
    [{ useFbcache: true, relL1Thresh: 0.1 }, /relL1Thresh is given without useTeacache/],
    [{ teacacheCoefficients: [1, 0] }, /teacacheCoefficients is given without useTeacache/],
    [{ useTeacache: true, teacacheCoefficients: [] }, /teacacheCoefficients is \[\], expected 1 to 10 numbers/],
    [{ useTeacache: true, teacacheCoefficients: [1, Number.NaN] }, /teacacheCoefficients/],
    [{ useFbcache: true, skipGuidanceLayers: [7] }, /skipGuidanceLayers does not go with a step cache/],
  ])('is refused: %o', (options, message) => {
    expect(() => flux(options)).toThrow(expect.objectContaining({ kind: 'bad-argument' }))
    expect(() => flux(options)).toThrow(message)
  })

  it.each([
    ['PixArtSigmaPipeline', pixartFamily(300)],
    ['StableDiffusion3Pipeline', sd3Family],
    ['HunyuanDiTPipeline', hunyuanDiTFamily],
  ] as const)('needs coefficients for TeaCache with %s, for which none are published', (className, family) => {
    expect(() => stepCacheOf(className, family, { useTeacache: true })).toThrow(
      `no coefficients are published for ${className}`,
    )
    const own = { useTeacache: true, teacacheCoefficients: [1, 0] }
    expect(stepCacheOf(className, family, own)).toMatchObject({ coefficients: [1, 0] })
  })

  it('does not go with DistriFusion', () => {
    const distrifusion = { ...ON_ONE_DEVICE, distrifusion: true }
    const cache = flux({ useFbcache: true })
    expect(() => checkCacheDivided(cache, distrifusion)).toThrow('fbcache does not go with DistriFusion')
    checkCacheDivided(undefined, distrifusion)
    checkCacheDivided(cache, ON_ONE_DEVICE)
  })
})

describe('the flags of step caches', () => {
  const call = (...flags: string[]) =>
    EngineArgs.fromFlags(['--model', 'm', '--prompt', 'a', ...flags]).createConfig().inputConfig.call

  it("are xDiT's, and TeaCache's", () => {
    expect(call('--use_fbcache', '--fbcache-threshold', '0.2')).toMatchObject({
      useFbcache: true,
      fbcacheThreshold: 0.2,
    })
    const given = call('--use-teacache', '--rel_l1_thresh', '0.4', '--teacache_coefficients', '-1.5,2e-1,0')
    expect(given).toMatchObject({ useTeacache: true, relL1Thresh: 0.4, teacacheCoefficients: [-1.5, 0.2, 0] })
    expect(call().useFbcache).toBeUndefined()
  })

  it('take numbers', () => {
    for (const text of ['1,,2', '1,x', ' ']) {
      expect(() => call('--use_teacache', '--teacache_coefficients', text)).toThrow(/expected numbers with commas/)
    }
  })
})
