import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, describe, expect, it } from 'vitest'
import type { BackendFinding } from '../../../src/cli/doctor/report.ts'
import { VERSION } from '../../../src/cli/package_info.ts'
import { LAVAPIPE, NO_DRIVER, runDeno, WITHOUT_LAVAPIPE } from '../../support/deno.ts'
import { GOLDEN } from '../../support/golden_io.ts'

const MAIN = new URL('../../../src/cli/main.ts', import.meta.url)
const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-deno-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** The command line from its sources, in a folder outside the repository. */
const webdit = (machine: Record<string, string>, ...args: string[]) => runDeno(machine, MAIN, args, temporary)

describe('webdit in Deno', () => {
  it('knows its version and its flags', async () => {
    expect(await webdit(NO_DRIVER, '--version')).toMatchObject({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
    expect(await webdit(NO_DRIVER, 'generate', '--prompt', 'cat', '--backend', 'foo')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^webdit: --backend is "foo", expected navigator or dawn\n {2}webdit generate/),
    })
  })

  it('examines both backends, the default first', async () => {
    const { code, stdout, stderr } = await webdit(NO_DRIVER, 'doctor')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^runtime +deno \d/m)
    expect(stdout).toMatch(
      /^backend +dawn \(dawn\/vulkan\), the default\n[\s\S]*^backend +navigator \(navigator\.gpu\)$/m,
    )
    expect(stdout.match(/^used +.*SwiftShader.*, tier f32$/gm)).toHaveLength(2)
    expect(stdout.match(/^speed +[\d.]+ GFLOP\/s .*, right to /gm)).toHaveLength(2)
    expect(stdout).toMatch(/^missing: a Vulkan driver\n {2}apt-get install mesa-vulkan-drivers$/m)
  })

  it.skipIf(WITHOUT_LAVAPIPE)('prefers lavapipe, which has f16 (needs mesa-vulkan-drivers)', async () => {
    const { code, stdout } = await webdit(LAVAPIPE, 'doctor', '--json')
    expect(code).toBe(0)
    const backends = JSON.parse(stdout).backends as BackendFinding[]
    expect(backends.map(({ backend }) => backend).sort()).toEqual(['dawn', 'navigator'])
    for (const { device } of backends) expect(device!.speed.correct).toBe(true)
    const [{ adapters, device }] = backends
    expect(device).toMatchObject({ tier: 'f16', name: expect.stringContaining('llvmpipe') })
    expect(adapters[0]).toMatchObject({ software: true, features: { 'shader-f16': true } })
  })
})

/** A machine for each backend. Dawn takes SwiftShader, also where it refuses a lavapipe. */
const MACHINES = [
  [
    'navigator on lavapipe (needs mesa-vulkan-drivers)',
    { backend: 'navigator', machine: LAVAPIPE, device: /llvmpipe/ },
  ],
  ['dawn without a driver', { backend: 'dawn', machine: NO_DRIVER, device: /SwiftShader/ }],
] as const

describe.each(MACHINES)('%s', (_, { backend, machine, device }) => {
  const missing = machine === LAVAPIPE && WITHOUT_LAVAPIPE

  it.skipIf(missing)('computes what diffusers computes', async () => {
    const { code, stdout, stderr } = await webdit(machine, 'verify', MODEL, '--backend', backend)
    expect(stdout).toMatch(/\d+ outputs within tolerance, 0 over, 0 runs unsupported\n$/)
    expect(code).toBe(0)
    const [, used, implementation] = /^device: (.*) \((\S+), tier f32\)$/m.exec(stderr)!
    expect(used).toMatch(device)
    expect(implementation).toBe(backend === 'dawn' ? 'dawn/vulkan' : 'navigator.gpu')
  })

  it.skipIf(missing)('writes a picture', async () => {
    const size = ['--no_use_resolution_binning', '--height', '80', '--width', '112', '--num_inference_steps', '2']
    // In the tier that was compiled above: drivers keep what they compiled on the disk.
    const flags = [
      '--model',
      MODEL,
      '--prompt',
      'cat',
      '--seed',
      '1',
      '--output_directory',
      backend,
      '--tier',
      'f32',
      ...size,
    ]
    const { code, stdout } = await webdit(machine, 'generate', ...flags, '--backend', backend)
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(backend, 'cat-seed-1.png')}\n` })
    const { width, height, data } = decode(readFileSync(join(temporary, stdout.trim())))
    expect([width, height]).toEqual([112, 80])
    expect(new Set(data).size).toBeGreaterThan(16)
  })
})

it.skipIf(WITHOUT_LAVAPIPE)(
  'starts again for Dawn where it refuses a lavapipe (needs mesa-vulkan-drivers)',
  async () => {
    const { code, stdout } = await webdit(LAVAPIPE, 'doctor', '--backend', 'dawn', '--json')
    expect(code).toBe(0)
    const { backends } = JSON.parse(stdout)
    expect(backends).toMatchObject([{ backend: 'dawn', device: { speed: { correct: true } } }])
  },
)
