import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { matchNames } from '../../../src/runtime/weights/match_names.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { type HostTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import { expectFailure } from './expect_failure.ts'

const STEM = 'diffusion_pytorch_model'

const vector = (...values: number[]): HostTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
})

/** A source from path to tensors, or to the JSON of an index. */
function sourceOf(files: Record<string, Record<string, HostTensor> | { weight_map: unknown } | 'bytes'>): Source {
  const bytesOf = (content: (typeof files)[string]) => {
    if (content === 'bytes') return new Uint8Array(4)
    if ('weight_map' in content) return new TextEncoder().encode(JSON.stringify(content))
    return writeSafetensors(content as Record<string, HostTensor>)
  }
  return memorySource(new Map(Object.entries(files).map(([path, content]) => [path, bytesOf(content)])), 'folder')
}

const SHARDED = {
  [`transformer/${STEM}-00001-of-00002.safetensors`]: { a: vector(1), b: vector(2, 3) },
  [`transformer/${STEM}-00002-of-00002.safetensors`]: { c: vector(4) },
}
const indexOf = (weight_map: unknown) => ({
  ...SHARDED,
  [`transformer/${STEM}.safetensors.index.json`]: { metadata: { total_size: 16 }, weight_map },
})
const [SHARD_1, SHARD_2] = Object.keys(SHARDED).map((path) => path.replace('transformer/', ''))

describe('openCheckpoint', () => {
  it('opens a single file', async () => {
    const models = await openFolder(fileURLToPath(new URL('../../../models', import.meta.url)))
    const vae = await openCheckpoint(models, 'emoji-pixart/vae', STEM)
    expect(vae.names()).toHaveLength(184)
    expect(vae.where).toMatch(/models\/emoji-pixart\/vae$/)
    const { path, tensor } = vae.entry('decoder.conv_in.weight')
    expect(path).toBe(`emoji-pixart/vae/${STEM}.safetensors`)
    expect(tensor).toMatchObject({ name: 'decoder.conv_in.weight', dtype: 'F16' })
    expect((await vae.read('decoder.conv_in.bias')).shape).toEqual([tensor.shape[0]])
    await models.close()
  })

  it('opens shards through their index', async () => {
    const source = sourceOf(indexOf({ b: SHARD_1, a: SHARD_1, c: SHARD_2 }))
    const checkpoint = await openCheckpoint(source, 'transformer', STEM)
    expect(checkpoint.names()).toEqual(['a', 'b', 'c'])
    expect(checkpoint.entry('c').path).toBe(`transformer/${SHARD_2}`)
    expect((await checkpoint.read('b')).data).toEqual(Float32Array.of(2, 3))
    expect((await checkpoint.read('c')).data).toEqual(Float32Array.of(4))
    expect(checkpoint.has('d')).toBe(false)
    expect(() => checkpoint.entry('d')).toThrow('the weights in folder/transformer have no tensor "d"')
    await expectFailure(checkpoint.read('d'), 'not-found', '"d"')
  })

  it.each<[string, unknown, 'corrupt' | 'not-found', string[]]>([
    ['a tensor that its shard lacks', { a: SHARD_1, c: SHARD_1 }, 'corrupt', ['"c"', SHARD_1]],
    [
      'shards that are absent',
      { a: 'x.safetensors', b: 'y.safetensors' },
      'not-found',
      ['x.safetensors, y.safetensors'],
    ],
    ['a shard outside the folder', { a: '../vae/x.safetensors' }, 'corrupt', ['"a"', '../vae/x.safetensors']],
    ['a shard that is no name', { a: 3 }, 'corrupt', ['"a"']],
    ['no weight_map', null, 'corrupt', ['no weight_map', `${STEM}.safetensors.index.json`]],
    ['a weight_map that is a list', [SHARD_1], 'corrupt', ['no weight_map']],
  ])('refuses an index with %s', async (_, weightMap, kind, named) => {
    await expectFailure(openCheckpoint(sourceOf(indexOf(weightMap)), 'transformer', STEM), kind, ...named)
  })

  it('keeps a tensor that no index names, for matchNames to report', async () => {
    const source = sourceOf(indexOf({ a: SHARD_1, c: SHARD_2 }))
    expect((await openCheckpoint(source, 'transformer', STEM)).names()).toEqual(['a', 'b', 'c'])
  })

  it('takes the variant asked for, else the plain file, else the only variant', async () => {
    const files = { 'model.safetensors': { a: vector(0) }, 'model.fp16.safetensors': { a: vector(16) } }
    const first = async (source: Source, variant?: string) =>
      (await (await openCheckpoint(source, '', 'model', { variant })).read('a')).data[0]
    expect(await first(sourceOf(files))).toBe(0)
    expect(await first(sourceOf(files), 'fp16')).toBe(16)
    expect(await first(sourceOf({ 'model.fp16.safetensors': { a: vector(16) } }))).toBe(16)
    expect(await first({ ...sourceOf({ 'model.bf16.safetensors': { a: vector(8) } }), list: undefined })).toBe(8)

    const shard = 'model.fp16-00001-of-00001.safetensors'
    const sharded = { 'model.safetensors.index.fp16.json': { weight_map: { a: shard } }, [shard]: { a: vector(7) } }
    expect(await first(sourceOf(sharded))).toBe(7)
    expect(await first(sourceOf(sharded), 'fp16')).toBe(7)

    const older = 'model-00001-of-00001.fp16.safetensors'
    const olderShards = { 'model.safetensors.fp16.index.json': { weight_map: { a: older } }, [older]: { a: vector(6) } }
    expect(await first(sourceOf(olderShards))).toBe(6)
    expect(await first(sourceOf({ ...files, ...olderShards }), 'fp16')).toBe(16)
    expect(await first(sourceOf({ 'model.safetensors': { a: vector(0) }, ...olderShards }), 'fp16')).toBe(6)
    expect((await expectFailure(first(sourceOf(olderShards), 'q8'), 'not-found', '"q8"')).hint).toContain(': fp16.')

    const both = sourceOf({ 'model.fp16.safetensors': { a: vector(1) }, 'model.bf16.safetensors': { a: vector(1) } })
    expect((await expectFailure(first(both), 'not-found', 'plain model.safetensors')).hint).toContain('bf16, fp16')
    expect((await expectFailure(first(sourceOf(files), 'q8'), 'not-found', '"q8"')).hint).toContain('no variant, fp16')
  })

  it.each([
    ['vae', STEM, `${STEM}.bin`],
    ['text_encoder', 'model', 'pytorch_model.bin'],
    ['text_encoder', 'model', 'pytorch_model.bin.index.json'],
  ])('asks for a conversion where %s has only pickled weights', async (dir, stem, file) => {
    const source = sourceOf({ [`${dir}/${file}`]: 'bytes' })
    const error = await expectFailure(openCheckpoint(source, dir, stem), 'unsupported', file, 'safetensors')
    expect(error.hint).toContain('safe_serialization=True')
  })

  it('says what was looked for where there are no weights', async () => {
    await expectFailure(openCheckpoint(sourceOf({}), 'vae', STEM), 'not-found', 'folder/vae', `${STEM}.safetensors`)
  })
})

describe('matchNames', () => {
  const open = (tensors: Record<string, HostTensor>) =>
    openCheckpoint(sourceOf({ [`vae/${STEM}.safetensors`]: tensors }), 'vae', STEM)

  it('accepts what matches', async () => {
    const checkpoint = await open({ a: vector(1, 2), 'x.position_ids': vector(0) })
    const expected = new Map([['a', [2]]])
    matchNames(expected, checkpoint, { ignore: [/\.position_ids$/] })
    expect(() => matchNames(expected, checkpoint)).toThrow('unexpected (1): x.position_ids')
  })

  it('lists everything that is wrong in one error', async () => {
    const ids: HostTensor = { dtype: 'I64', shape: [1], data: BigInt64Array.of(0n) }
    const checkpoint = await open({ shape: vector(1, 2), ids, extra: vector(1), same: vector(1) })
    const expected = new Map<string, number[]>([
      ['shape', [2, 1]],
      ['ids', [1]],
      ['same', [1]],
      ...Array.from({ length: 11 }, (_, i): [string, number[]] => [`blocks.${i}`, [1]]),
    ])
    const check = (async () => matchNames(expected, checkpoint))()
    const { message } = await expectFailure(check, 'corrupt', 'folder/vae')
    expect(message).toContain('missing (11): blocks.0, blocks.1,')
    expect(message).toContain('blocks.7 and 3 more; unexpected (1): extra; ')
    expect(message).toContain('shape is [2], expected [2, 1], ids is I64, expected F32, F16, BF16')
    expect(message).not.toContain('same')
  })
})
