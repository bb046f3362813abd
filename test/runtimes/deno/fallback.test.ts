import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DENO, type Ended, ended, LAVAPIPE, NO_DRIVER, startOn, WITHOUT_LAVAPIPE } from '../../support/deno.ts'

const PROGRAM = fileURLToPath(new URL('../../runtime/platform/program.ts', import.meta.url))
const MASKED = fileURLToPath(new URL('../../../scripts/masked.sh', import.meta.url))

const start = (args: readonly string[], options: readonly string[] = []) =>
  startOn(NO_DRIVER, [DENO, 'run', '-A', ...options, PROGRAM, ...args])
const reportOf = ({ stdout }: Ended) => JSON.parse(stdout)

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the fallback to SwiftShader in Deno', () => {
  it("starts the command line again, with its arguments and Deno's options, and opens a device quietly", async () => {
    const args = ['--prompt', 'two  words', '']
    const run = await ended(start(args, ['--no-check', '--location', 'http://somewhere.test/']))
    expect(run).toMatchObject({ code: 0, stderr: '' })
    // Of the two backends on SwiftShader Dawn is the better one: it tells the architecture, and has subgroups.
    expect(reportOf(run)).toMatchObject({
      kind: 'swiftshader',
      architecture: 'swiftshader',
      args,
      place: 'http://somewhere.test/',
    })
  })

  it('ends with the exit code of the second run, or by its signal', async () => {
    expect(await ended(start(['exit', '7']))).toMatchObject({ code: 7, signal: null })
    expect(await ended(start(['die', 'SIGKILL']))).toMatchObject({ signal: 'SIGKILL' })
  })

  it('sends a signal on to the second run', async () => {
    const child = start(['wait'])
    child.stdout!.once('data', () => child.kill('SIGTERM'))
    expect(await ended(child)).toMatchObject({ code: 5, signal: null })
  })

  it("opens a device where the system's Vulkan is masked", async ({ skip }) => {
    const run = await ended(startOn({}, [MASKED, DENO, 'run', '-A', PROGRAM]))
    if (run.stderr.startsWith('skipped:')) skip(run.stderr)
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(reportOf(run)).toMatchObject({ kind: 'swiftshader', architecture: 'swiftshader' })
  })
})

it.skipIf(WITHOUT_LAVAPIPE)('lavapipe needs no second run in Deno (needs mesa-vulkan-drivers)', async () => {
  const run = await ended(startOn(LAVAPIPE, [DENO, 'run', '-A', PROGRAM]))
  expect(run.code).toBe(0)
  expect(reportOf(run)).toMatchObject({ kind: 'lavapipe', why: expect.stringMatching(/^no GPU: .*llvmpipe/) })
})
