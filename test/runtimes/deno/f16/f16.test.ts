import { expect, it } from 'vitest'
import { LAVAPIPE, runDeno, WITHOUT_LAVAPIPE } from '../../../support/deno.ts'
import type { Result } from './check.ts'

const PROGRAM = new URL('program.ts', import.meta.url)

it.skipIf(WITHOUT_LAVAPIPE)(
  'kernels of the f16 tier keep operands in f16 and sums in f32 (Deno; needs mesa-vulkan-drivers)',
  async () => {
    const { stdout } = await runDeno(LAVAPIPE, PROGRAM)
    const { tier, results } = JSON.parse(stdout) as { tier: string; results: Result[] }
    expect(tier).toBe('f16')
    expect(results.length).toBeGreaterThan(50)
    // NaN, which JSON writes as null, is over as well.
    expect(results.filter(({ error, limit }) => !(error !== null && error <= limit))).toEqual([])
  },
  120_000,
)
