import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { Result } from './check.ts'

const DENO = fileURLToPath(new URL('../../../../node_modules/.bin/deno', import.meta.url))
const PROGRAM = fileURLToPath(new URL('program.ts', import.meta.url))

/** SwiftShader has no f16; a lavapipe under Deno's own WebGPU has it, and needs no GPU. */
const LAVAPIPE = ['/usr/share/vulkan/icd.d/lvp_icd.x86_64.json', '/usr/share/vulkan/icd.d/lvp_icd.json'].some(
  existsSync,
)

it.skipIf(!LAVAPIPE && !process.env.CI)(
  'kernels of the f16 tier keep operands in f16 and sums in f32 (Deno; without a GPU it needs mesa-vulkan-drivers)',
  async () => {
    // The tests' own process computes with SwiftShader.
    const { VK_ICD_FILENAMES: _, VK_DRIVER_FILES: __, LD_LIBRARY_PATH: ___, ...env } = process.env
    const { stdout } = await promisify(execFile)(DENO, ['run', '-A', PROGRAM], { env })
    const { tier, results } = JSON.parse(stdout) as { tier: string; results: Result[] }
    expect(tier).toBe('f16')
    expect(results.length).toBeGreaterThan(50)
    // NaN, which JSON writes as null, is over as well.
    expect(results.filter(({ error, limit }) => !(error !== null && error <= limit))).toEqual([])
  },
  120_000,
)
