import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { CaseMeta } from '../../src/cli/verify/case.ts'
import { Run } from '../../src/cli/verify/run.ts'
import { runnerOf } from '../../src/cli/verify/runners/index.ts'
import { type Component, type ComponentOptions, loadComponent, type NetworkClass } from '../../src/models/component.ts'
import { checkArchitecture } from '../../src/models/gguf.ts'
import { t5Encoder } from '../../src/models/t5/encoder.ts'
import { openWeightsFile } from '../../src/runtime/weights/checkpoint.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import type { WeightShare } from '../../src/runtime/weights/share.ts'
import type { SourceFile } from '../../src/runtime/weights/source.ts'
import { weightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { testDevice, testRecorder } from '../support/device.ts'
import { GOLDEN, loadGoldenJson } from '../support/golden_io.ts'
import { relativeL2 } from '../support/numbers.ts'
import { storedTensors } from '../support/resave.ts'

const GGUF = fileURLToPath(new URL('../fixtures/gguf/', import.meta.url))
const files = await openFolder(GGUF)
afterAll(() => files.close())

const jsonBytes = (json: unknown) => new TextEncoder().encode(JSON.stringify(json))
const fluxConfig = () => loadGoldenJson('transformer_flux_small', 'config.json')
const t5Config = async () => JSON.parse(await files.readText('t5.json'))

/** A network of that config, whose weights are in a GGUF file of the fixtures unless told otherwise. */
async function load<C extends NetworkClass>(
  className: C,
  config: unknown,
  file: string | SourceFile,
  options: ComponentOptions = {},
): Promise<Component<C>> {
  const folder = memorySource(new Map([['config.json', jsonBytes(config)]]), 'model')
  const given = typeof file === 'string' ? { source: files, path: file } : file
  return loadComponent(await testDevice(), className, folder, '', { ...options, file: given })
}

/** A run of `webdit verify` with the network's weights in a GGUF file. */
class GgufRun extends Run {
  file = ''
  config: unknown

  override async withNetwork<C extends NetworkClass, T>(
    className: C,
    use: (network: Component<C>) => Promise<T>,
  ): Promise<T> {
    const network = await load(className, this.config, this.file)
    try {
      return await use(network)
    } finally {
      network.weights.free()
    }
  }
}

describe('GGUF files give what diffusers and transformers compute with the weights that ggml’s own package reads', () => {
  it.each(['flux', 'sd3'])('%s', async (family) => {
    const name = `transformer_${family}_small`
    const { runs, ...meta }: CaseMeta = loadGoldenJson(name)
    const golden = await storedTensors(`${GOLDEN}/${name}`, runs.main.io as string)
    const { sample } = await storedTensors(GGUF, `${family}.safetensors`)
    const io = writeSafetensors({ ...golden, 'output.sample': sample })
    const source = memorySource(new Map([['io.safetensors', io]]))
    const main = { ...runs.main, io: 'io.safetensors' }
    const of = { name, folder: '', meta: { ...meta, runs: { main } } }
    const run = new GgufRun(of, 'main', { source, device: testDevice })
    run.file = `${family}.gguf`
    run.config = loadGoldenJson(name, 'config.json')
    await runnerOf(of).run(run)
    expect(run.outputs).toHaveLength(1)
    for (const output of run.outputs) expect(output.error, output.name).toBeLessThan(1e-5)
  })

  it('T5 by the names of llama.cpp', async () => {
    const { config, weights } = await load('T5EncoderModel', await t5Config(), 't5.gguf')
    const io = await storedTensors(GGUF, 't5.safetensors')
    const [ids, mask] = [io.input_ids, io.attention_mask].map(({ data }) => Array.from(data, Number))
    const g = await testRecorder()
    const out = await g.scope(() => t5Encoder(g, config, weights, ids, 2, mask))
    expect(relativeL2(await g.read(out), io.last_hidden_state.data as Float32Array)).toBeLessThan(1e-5)
    g.reset()
    weights.free()
  })
})

describe('weights from a GGUF file are those of its decoded values', () => {
  /** The same tensors as F32 of a safetensors file. */
  async function decoded(file: string): Promise<SourceFile> {
    const checkpoint = await openWeightsFile({ source: files, path: file })
    const tensors: Record<string, HostTensor> = {}
    for (const name of checkpoint.names()) {
      tensors[name] = {
        dtype: 'F32',
        ...((await checkpoint.read(name)) as { shape: number[]; data: Float32Array<ArrayBuffer> }),
      }
    }
    return { source: memorySource(new Map([['all.safetensors', writeSafetensors(tensors)]])), path: 'all.safetensors' }
  }

  const CASES: [string, ComponentOptions][] = [
    [
      'of the second of two tensor-parallel ranks, in small chunks',
      { share: (): WeightShare => ({ tensor: { index: 1, speeds: [1, 1] } }), chunkBytes: 1000 },
    ],
    ['in eight bits', { format: weightFormat('int8_asym_g32') }],
  ]
  it.each(CASES)('%s', async (_, options) => {
    const bitsOf = async (file: string | SourceFile) => {
      const device = await testDevice()
      const { weights } = await load('FluxTransformer2DModel', fluxConfig(), file, options)
      const names = ['attn.to_q.weight', 'attn.to_out.0.weight', 'ff.net.2.weight', 'attn.to_k.bias']
      const bits = []
      for (const name of names) {
        const { placement, bytes } = weights.tensor(`transformer_blocks.1.${name}`)
        bits.push(Buffer.from(await device.download(placement!.buffer, bytes)).toString('base64'))
      }
      weights.free()
      return bits
    }
    expect(await bitsOf('flux.gguf')).toEqual(await bitsOf(await decoded('flux.gguf')))
  })

  it('of which a rank reads its own, and tells of as many bytes as it read', async () => {
    const bytesRead = async (share?: WeightShare) => {
      let read = 0
      let told = 0
      const source: typeof files = {
        ...files,
        async readInto(path, offset, target) {
          // The header is read with all that a longer window has.
          if (target.byteLength < 2 ** 16) read += target.byteLength
          await files.readInto(path, offset, target)
        },
      }
      const share_ = share && (() => share)
      const onProgress = (_: number, total: number) => (told = total)
      const file = { source, path: 'flux.gguf' }
      const { weights } = await load('FluxTransformer2DModel', fluxConfig(), file, { share: share_, onProgress })
      weights.free()
      expect(told).toBe(read)
      return read
    }
    const all = await bytesRead()
    const stages = [
      { first: 0, end: 2, head: true, tail: false },
      { first: 2, end: 4, head: false, tail: true },
    ]
    const [first, last] = await Promise.all(stages.map((blocks) => bytesRead({ blocks })))
    const common = first + last - all
    expect(common).toBeLessThan(all / 4)
    expect(first).toBeLessThan(0.8 * all)
    expect(last).toBeLessThan(0.8 * all)
    // Of what is cut by columns everything is read.
    expect(await bytesRead({ tensor: { index: 0, speeds: [1, 1] } })).toBeLessThan(0.9 * all)
  })
})

describe('GGUF files of other networks are refused', () => {
  it.each<[string, NetworkClass, string, string]>([
    [
      'flux.gguf',
      'SD3Transformer2DModel',
      'unsupported',
      'flux.gguf is of a network of architecture "flux", expected sd3, for SD3Transformer2DModel',
    ],
    [
      'flux.gguf',
      'PixArtTransformer2DModel',
      'unsupported',
      'architecture "flux", and webdit reads no PixArtTransformer2DModel from GGUF',
    ],
    ['t5.gguf', 'FluxTransformer2DModel', 'unsupported', 'architecture "t5encoder", expected flux'],
    ['sd3.gguf', 'FluxTransformer2DModel', 'corrupt', 'sd3.gguf are not those of the model in config.json: missing'],
  ])('%s as %s', async (file, className, kind, message) => {
    const refused = load(className, {}, file)
    await expect(refused).rejects.toMatchObject({ kind, message: expect.stringContaining(message) })
  })

  it('unless they do not say of which they are', async () => {
    const checkpoint = await openWeightsFile({ source: files, path: 'flux.gguf' })
    for (const architecture of [undefined, 'pig']) {
      expect(() => checkArchitecture({ ...checkpoint, gguf: { architecture } }, ['sd3'], 'X')).not.toThrow()
    }
    expect(() => checkArchitecture({ ...checkpoint, gguf: undefined }, [], 'X')).not.toThrow()
    expect(() => checkArchitecture(checkpoint, ['sd3'], 'X')).toThrow('"flux", expected sd3, for X')
  })

  it('of another size', async () => {
    await expect(
      load('FluxTransformer2DModel', { ...fluxConfig(), joint_attention_dim: 24 }, 'flux.gguf'),
    ).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('context_embedder.weight is [32, 20], expected [32, 24]'),
    })
  })
})
