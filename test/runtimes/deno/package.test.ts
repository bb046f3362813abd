import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterAll, describe, expect, it } from 'vitest'
import { DENO, type Ended, ended, NO_DRIVER, startOn } from '../../support/deno.ts'
import { GOLDEN } from '../../support/golden_io.ts'
import { packedApp } from '../../support/packed_app.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const deno = (args: readonly string[], cwd = ROOT): Promise<Ended> => ended(startOn(NO_DRIVER, [DENO, ...args], cwd))

describe('the sources as a package of Deno', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'webdit-deno-'))
  afterAll(() => rmSync(temporary, { recursive: true }))

  it('is of the same version as that of npm, and fit to be published', async () => {
    const versionIn = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')).version
    expect(versionIn('deno.json')).toBe(versionIn('package.json'))
    // The types that Deno reads are inferred in places, which it calls slow.
    const flags = ['--dry-run', '--allow-dirty', '--allow-slow-types', '--no-check']
    const { code, stderr } = await deno(['publish', ...flags])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Success') })
    expect(stderr).toContain('src/index.ts')
    expect(stderr).not.toMatch(/\.safetensors|\btest\//)
  })

  it('deno task start takes the flags of a mesh, and draws', async () => {
    const size = ['--height', '64', '--width', '64', '--num_inference_steps', '1', '--tier', 'f32']
    const mesh = ['--ulysses_degree', '2', '--backend', 'dawn']
    const files = ['--prompt', 'red apple', '--output_directory', temporary]
    const { code, stdout, stderr } = await deno(['task', 'start', ...files, ...size, ...mesh])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('for ranks 0, 1') })
    const { width, height } = decode(readFileSync(stdout.trim()))
    expect([width, height]).toEqual([64, 64])
  })
})

// Needs dist/: `npm test` builds it.
it('the package of npm draws in a worker of Deno', async () => {
  const { folder, remove } = packedApp(['@sparticuz/chromium']) // its SwiftShader, for machines without a GPU
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'main.js'),
      `import { startRank } from 'webdit'
       import { ensureVulkan } from 'webdit/vulkan'
       await ensureVulkan()
       const rank = await startRank('${join(GOLDEN, 'pipeline_pixart_sigma')}', { platform: { backend: 'dawn' } })
       const call = { useResolutionBinning: false, height: 80, width: 80, numInferenceSteps: 1 }
       const { images } = await rank.run('a cat', call)
       await rank.close()
       console.log(images.map(({ width, height }) => [width, height]).join())`,
    )
    const { code, stdout, stderr } = await deno(['run', '-A', 'main.js'], folder)
    expect({ code, stdout, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stdout: '80,80\n', stderr: '' })
  } finally {
    remove()
  }
})
