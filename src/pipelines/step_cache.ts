import type { CacheSettings } from '../caches/settings.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import { DitError } from '../runtime/errors.ts'
import type { Family } from './family.ts'
import { checkNumber, type PipelineOptions } from './options.ts'

/** First-Block-Cache: xDiT's for FLUX. */
const FBCACHE_THRESHOLD = 0.12
/** TeaCache: the lowest that its authors publish for FLUX, 1.5 times as fast (TeaCache4FLUX/README.md). */
const REL_L1_THRESH = 0.25

/**
 * What a call says of step caches.
 *
 * @throws DitError 'bad-argument' for both at once, thresholds out of range or without their cache, coefficients that are
 *   none, and what a cache cannot go with
 */
export function stepCacheOf(
  className: string,
  { teacacheCoefficients: published }: Pick<Family, 'teacacheCoefficients'>,
  options: PipelineOptions,
): CacheSettings | undefined {
  const { useFbcache, fbcacheThreshold, useTeacache, relL1Thresh, teacacheCoefficients } = options
  if (useFbcache && useTeacache) {
    throw new DitError('bad-argument', 'useFbcache and useTeacache exclude each other', 'Leave one of them out.')
  }
  checkUsed('fbcacheThreshold', fbcacheThreshold, 'useFbcache', useFbcache)
  checkUsed('relL1Thresh', relL1Thresh, 'useTeacache', useTeacache)
  checkUsed('teacacheCoefficients', teacacheCoefficients, 'useTeacache', useTeacache)
  if (!useFbcache && !useTeacache) return undefined
  if (options.skipGuidanceLayers !== undefined) {
    throw new DitError(
      'bad-argument',
      'skipGuidanceLayers does not go with a step cache: it predicts a second time, without some blocks',
      'Leave one of them out.',
    )
  }
  if (useFbcache) {
    const threshold = checkNumber('fbcacheThreshold', fbcacheThreshold ?? FBCACHE_THRESHOLD, 0, 1)
    return { kind: 'fbcache', threshold }
  }
  const coefficients = checkCoefficients(teacacheCoefficients) ?? published
  if (!coefficients) {
    throw new DitError(
      'bad-argument',
      `useTeacache: no coefficients are published for ${className}`,
      'Give teacacheCoefficients of your own, the highest power first, or use useFbcache, which needs none.',
    )
  }
  return { kind: 'teacache', threshold: checkNumber('relL1Thresh', relL1Thresh ?? REL_L1_THRESH, 0, 10), coefficients }
}

/** @throws DitError 'bad-argument' where ranks work so that a cache cannot go with it */
export function checkCacheDivided(cache: CacheSettings | undefined, { distrifusion }: ParallelConfig): void {
  if (!cache || !distrifusion) return
  throw new DitError(
    'bad-argument',
    `${cache.kind} does not go with DistriFusion, whose ranks send each other keys in every step`,
    'Divide the picture by --ulysses_degree, --ring_degree, --pipefusion_parallel_degree or --use_cfg_parallel.',
  )
}

function checkUsed(name: string, value: unknown, cache: string, used: boolean | undefined): void {
  if (value === undefined || used) return
  throw new DitError('bad-argument', `${name} is given without ${cache}`, `Add ${cache}, or leave ${name} out.`)
}

function checkCoefficients(given: readonly number[] | undefined): readonly number[] | undefined {
  if (given === undefined) return undefined
  if (Array.isArray(given) && given.length >= 1 && given.length <= 10 && given.every(Number.isFinite)) return given
  throw new DitError(
    'bad-argument',
    `teacacheCoefficients is ${JSON.stringify(given)}, expected 1 to 10 numbers: a polynomial's, the highest power first`,
  )
}
