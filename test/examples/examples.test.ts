import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sizeOf } from '../../src/parallel/mesh/mesh.ts'
import { checkDividedRequest } from '../../src/pipelines/divided_request.ts'
import { EngineArgs } from '../../src/pipelines/engine_args.ts'
import { type ModelFacts, modelFacts } from '../../src/pipelines/model_facts.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MODEL = join(ROOT, 'models/emoji-pixart')
const temporary = mkdtempSync(join(tmpdir(), 'webdit-examples-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** Words as a shell takes them, of a line that quotes with double quotes alone. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
const commands = readFileSync(join(ROOT, 'examples/commands.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const program = join(ROOT, 'scripts/example.mjs')
  const child = spawn(process.execPath, [program, 'inference', ...args], { cwd: temporary, stdio: 'pipe' })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}

describe('examples/commands.txt', () => {
  let facts: ModelFacts
  beforeAll(async () => {
    const source = await openFolder(MODEL)
    facts = await modelFacts(source)
    await source.close()
  })

  it.each(commands)('%s', (line) => {
    const args = EngineArgs.fromFlags(['--model', MODEL, ...words(line)])
    const { engineConfig, inputConfig } = args.createConfig()
    expect(sizeOf(engineConfig.parallel.degrees)).toBeGreaterThan(1)
    expect(inputConfig.prompt.length).toBeGreaterThan(0)
    checkDividedRequest(engineConfig.parallel, facts, inputConfig.call)
  })
})

describe('examples/inference.ts', () => {
  const small = ['--height', '64', '--width', '64', '--num_inference_steps', '2']

  it.each(['--ring_degree 2 --use_parallel_vae'])('draws: %s', { timeout: 90_000 }, async (flags) => {
    const line = commands.find((command) => command.startsWith(flags))!
    const { code, out, err } = await run(...words(line), ...small, '--seed', '3')
    expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/^2 ranks share 1 device/m) })
    const path = /^image 0 saved to (results\/\S+\.png)$/m.exec(out)![1]
    const { width, height } = decode(readFileSync(join(temporary, path)))
    expect([width, height]).toEqual([64, 64])
    expect(out).toMatch(/^epoch time: [\d.]+ sec on 2 ranks$/m)
  })

  it('says what is wrong, and draws nothing', async () => {
    const before = readdirSync(temporary)
    const { code, out, err } = await run('--prompt', 'x', '--use_torch_compile')
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^--use_torch_compile is a flag of xDiT that webdit has not\n {2}\S/m)
    expect(readdirSync(temporary)).toEqual(before)
  })
})

it('takes the generator that a command line names', () => {
  const call = (...flags: string[]) =>
    EngineArgs.fromFlags(['--model', 'm', '--prompt', 'x', ...flags]).createConfig().inputConfig.call
  expect(call().generator).toBe('cpu')
  expect(call('--generator', 'cuda').generator).toBe('cuda')
  expect(() => call('--generator', 'mps')).toThrow(/--generator is "mps", expected cpu or cuda/)
})
