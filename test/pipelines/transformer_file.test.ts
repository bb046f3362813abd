import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline, type FromPretrainedOptions } from '../../src/pipelines/diffusion_pipeline.ts'
import { planMemory } from '../../src/pipelines/memory_plan/plan.ts'
import { startLocalTeam } from '../../src/pipelines/team/local_team.ts'
import { traitsOf } from '../../src/runtime/paper_device.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'

const MODEL = join(GOLDEN, 'pipeline_sd3')
const CALL = {
  height: 32,
  width: 32,
  numInferenceSteps: 1,
  maxSequenceLength: 9,
  seed: 3,
  outputType: 'latent',
} as const

const temporary = mkdtempSync(join(tmpdir(), 'webdit-transformer-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** The golden pipeline without weights of the transformer, and these in a file elsewhere. */
const bare = join(temporary, 'bare')
const file = join(temporary, 'my transformer.safetensors')
let expected: Float32Array
beforeAll(async () => {
  cpSync(MODEL, bare, { recursive: true, filter: (path) => !/transformer\/.*\.safetensors$/.test(path) })
  copyFileSync(join(MODEL, 'transformer/diffusion_pytorch_model.safetensors'), file)
  expected = await drawn(MODEL)
})

async function drawn(model: string, options: FromPretrainedOptions = {}): Promise<Float32Array> {
  const pipe = await DiffusionPipeline.fromPretrained(model, { device: await testDevice(), ...options })
  const { latents } = await pipe('cat', CALL)
  pipe.dispose()
  return latents.data
}

describe('weights of the transformer in a file of their own', () => {
  it('are taken from a path, and from a source that stays open', async () => {
    expect(await drawn(bare, { transformer: file })).toEqual(expected)
    const source = await openFolder(temporary)
    expect(await drawn(bare, { transformer: { source, path: 'my transformer.safetensors' } })).toEqual(expected)
    expect(await source.size('my transformer.safetensors')).toBeGreaterThan(0)
    await source.close()
    await expect(drawn(bare)).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('transformer'),
    })
  })

  it('are taken from a server', async () => {
    const bytes = readFileSync(file)
    const server = createServer(({ url, headers: { range = '' } }, response) => {
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(range) ?? []
      if (url !== '/some/my%20transformer.safetensors?key=1' || !first) return response.writeHead(404).end()
      const part = bytes.subarray(Number(first), Number(last) + 1)
      const place = `bytes ${first}-${Number(first) + part.byteLength - 1}/${bytes.byteLength}`
      response.writeHead(206, { 'content-range': place, 'content-length': part.byteLength }).end(part)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const transformer = `http://127.0.0.1:${port}/some/my%20transformer.safetensors?key=1`
      expect(await drawn(bare, { transformer })).toEqual(expected)
    } finally {
      server.close()
    }
  })

  it('are taken by each rank for its share', async () => {
    const mesh = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, tensor: 2 } }
    const team = await startLocalTeam(bare, mesh, { device: await testDevice(), transformer: file })
    const { latents } = await team.run('cat', CALL)
    await team.close()
    expect(relativeL2(latents.data, expected)).toBeLessThan(1e-5)
  })

  it('leave the variant to the other components', async () => {
    const mixed = join(temporary, 'mixed')
    cpSync(bare, mixed, { recursive: true })
    copyFileSync(
      join(MODEL, 'vae/diffusion_pytorch_model.safetensors'),
      join(mixed, 'vae/diffusion_pytorch_model.fp16.safetensors'),
    )
    expect(await drawn(mixed, { transformer: file, variant: 'fp16' })).toEqual(expected)
    copyFileSync(file, join(bare, 'transformer/diffusion_pytorch_model.fp16.safetensors'))
    await expect(drawn(bare, { transformer: file, variant: 'fp16' })).rejects.toMatchObject({ kind: 'not-found' })
    rmSync(join(bare, 'transformer/diffusion_pytorch_model.fp16.safetensors'))
  })

  it('are planned with', async () => {
    const device = traitsOf(await testDevice())
    const { seed: _, ...call } = CALL
    const { host: __, ...whole } = await planMemory(MODEL, 'cat', { device, call })
    expect(await planMemory(bare, 'cat', { device, call, transformer: file })).toMatchObject(whole)

    const flags = ['--prompt', 'cat', '--height', '32', '--width', '32', '--json']
    const plan = await runInProcess(['plan', '--model', bare, ...flags, '--transformer', file])
    expect(plan).toMatchObject({ code: 0, err: [] })
    expect(JSON.parse(plan.out.join('\n')).withoutWeights).toEqual([])
  })

  it('are drawn with on the command line', async () => {
    const out = join(temporary, 'pictures')
    mkdirSync(out)
    const flags = ['--height', '32', '--width', '32', '--num_inference_steps', '1', '--output_directory', out]
    const run = await runInProcess(['generate', '--model', bare, '--prompt', 'cat', ...flags, '--transformer', file])
    expect(run.code, run.err.join('\n')).toBe(0)
    expect(run.out).toHaveLength(1)
  })

  it.each([
    ['no file', join(temporary, 'no.safetensors'), 'not-found', 'and there is no such file'],
    ['no folder', join(temporary, 'no', 'x.safetensors'), 'not-found', 'and there is no such file'],
    ['a file of another kind', join(temporary, 'flux1-dev-Q4_0.gguf'), 'bad-argument', 'expected a .safetensors file'],
  ])('are refused: %s', async (_, transformer, kind, why) => {
    const refusal = { kind, message: expect.stringMatching(new RegExp(`transformer is ".*", ${why}`)) }
    await expect(drawn(bare, { transformer })).rejects.toMatchObject(refusal)
    await expect(planMemory(bare, 'cat', { transformer })).rejects.toMatchObject(refusal)
  })
})
