import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadComponent, NETWORKS, type NetworkClass } from '../../src/models/component.ts'
import { fluxOriginalNames } from '../../src/models/flux/original_names.ts'
import { sd3OriginalNames } from '../../src/models/sd3/original_names.ts'
import type { Checkpoint } from '../../src/runtime/weights/checkpoint.ts'
import { openCheckpoint, openWeightsFile } from '../../src/runtime/weights/checkpoint.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { loadWeights } from '../../src/runtime/weights/load.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import type { Parameters } from '../../src/runtime/weights/parameters.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import type { WeightShare } from '../../src/runtime/weights/share.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, loadGoldenJson } from '../support/golden_io.ts'
import { storedTensors } from '../support/resave.ts'

const ORIGINALS = fileURLToPath(new URL('../fixtures/original_names/', import.meta.url))
const STEM = 'diffusion_pytorch_model'

const temporary = mkdtempSync(join(tmpdir(), 'webdit-original-'))
afterAll(() => rmSync(temporary, { recursive: true }))

type Case = [family: 'flux' | 'sd3', className: NetworkClass, named: (stored: Checkpoint) => Checkpoint]
const CASES: Case[] = [
  ['flux', 'FluxTransformer2DModel', fluxOriginalNames],
  ['sd3', 'SD3Transformer2DModel', sd3OriginalNames],
]

/** Not shared evenly, so that shares begin and end anywhere in tensors that were fused or swapped. */
const gathering = (index: number, size: number): WeightShare => ({
  gathering: { index, size, gather: async () => {}, waiting: (gathered) => gathered },
})
const SHARES: [string, WeightShare | undefined][] = [
  ['all', undefined],
  ['the first heads', { tensor: { index: 0, speeds: [1, 1] } }],
  ['the last heads', { tensor: { index: 1, speeds: [1, 1] } }],
  ['the last stage', { blocks: { first: 2, end: 3, head: false, tail: true } }],
  ['a third of each block', gathering(1, 3)],
]

describe.each(CASES)('%s by its authors’ names', (family, className, named) => {
  const golden = join(GOLDEN, `transformer_${family}_small`)
  const open = async () => {
    const originals = await openFolder(ORIGINALS)
    return named(await openWeightsFile({ source: originals, path: `${family}.safetensors` }))
  }

  it('has the tensors that diffusers makes of it, bit for bit', async () => {
    const [original, stored] = [await open(), await openCheckpoint(await openFolder(golden), '', STEM)]
    expect(original.names()).toEqual(stored.names())
    for (const name of stored.names()) {
      const { dtype, shape, bytes } = stored.entry(name).tensor
      expect(original.entry(name).tensor, name).toMatchObject({ name, dtype, shape, bytes })
      expect(await original.read(name), name).toEqual({
        shape,
        data: (await stored.read(name)).data,
      })
    }
    expect(() => original.entry('x')).toThrow('have no tensor "x"')
    await original.source.close()
    await stored.source.close()
  })

  it.each(SHARES)('loads the same bits, in small chunks: %s', async (_, share) => {
    const device = await testDevice()
    const network = NETWORKS[className] as unknown as { config(json: unknown): never; parameters(c: never): Parameters }
    const parameters = network.parameters(network.config(loadGoldenJson(`transformer_${family}_small`, 'config.json')))
    const stored = await openCheckpoint(await openFolder(golden), '', STEM)
    const loaded = async (checkpoint: Checkpoint) => {
      const placed: { label: string; buffer: GPUBuffer; bytes: number }[] = []
      const create = device.gpu.createBuffer
      device.gpu.createBuffer = (descriptor) => {
        const buffer = create.call(device.gpu, descriptor)
        const { label = '', size, usage } = descriptor
        if (usage & GPUBufferUsage.COPY_SRC && usage & GPUBufferUsage.STORAGE)
          placed.push({ label, buffer, bytes: size })
        return buffer
      }
      try {
        const weights = await loadWeights(device, checkpoint, parameters, { share, chunkBytes: 1000 })
        const kept = placed.filter(
          ({ label }) => !(share?.gathering && label.startsWith('weight ') && /blocks/.test(label)),
        )
        const bits = []
        for (const { label, buffer, bytes } of kept) {
          bits.push([label, Buffer.from(await device.download(buffer, bytes)).toString('base64')])
        }
        weights.free()
        return bits
      } finally {
        device.gpu.createBuffer = create
      }
    }
    const original = await open()
    const bits = await loaded(original)
    expect(bits.length).toBeGreaterThan(3)
    expect(bits).toEqual(await loaded(stored))
    await original.source.close()
    await stored.source.close()
  })

  it('is taken from the only file of the folder, whatever its name', async () => {
    const folder = mkdtempSync(join(temporary, `${family}-`))
    copyFileSync(join(golden, 'config.json'), join(folder, 'config.json'))
    copyFileSync(join(ORIGINALS, `${family}.safetensors`), join(folder, `${family}1-dev.safetensors`))
    const source = await openFolder(folder)
    const { weights } = await loadComponent(await testDevice(), className, source, '')
    weights.free()

    copyFileSync(join(ORIGINALS, `${family}.safetensors`), join(folder, 'another.safetensors'))
    await expect(loadComponent(await testDevice(), className, source, '')).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining(`but another.safetensors, ${family}1-dev.safetensors`),
    })
    await source.close()
  })

  it('is told what is missing by the names of diffusers, what is unknown by its own, and of rows that cannot be', async () => {
    const tensors = await storedTensors(ORIGINALS, `${family}.safetensors`)
    const fused = family === 'flux' ? 'double_blocks.0.img_attn.qkv.bias' : 'joint_blocks.0.x_block.attn.qkv.bias'
    const prefix = family === 'flux' ? '' : 'model.diffusion_model.'
    const checkpointOf = async (changed: Record<string, HostTensor>) => {
      const bytes = writeSafetensors({ ...tensors, ...changed })
      return { source: memorySource(new Map([['a.safetensors', bytes]]), 'folder'), path: 'a.safetensors' }
    }
    const load = async (changed: Record<string, HostTensor>) => {
      const source = await openFolder(golden)
      const file = await checkpointOf(changed)
      return loadComponent(await testDevice(), className, source, '', { file }).finally(() => source.close())
    }
    const one: HostTensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) }
    await expect(load({ [`${prefix}odd_layer.weight`]: one })).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(
        'folder/a.safetensors are not those of the model in config.json: unexpected (1): odd_layer.weight',
      ),
    })
    await expect(load({ [prefix + fused]: { ...one, shape: [95], data: new Float32Array(95) } })).rejects.toMatchObject(
      {
        kind: 'corrupt',
        message: `tensor "${prefix}${fused}" of folder/a.safetensors has 95 rows, expected a multiple of 3: it is that many things in one`,
      },
    )
    delete tensors[prefix + fused]
    await expect(load({})).rejects.toMatchObject({
      message: expect.stringContaining('missing (3): transformer_blocks.0.attn.to_'),
    })
  })
})
