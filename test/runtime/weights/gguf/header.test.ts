import { describe, expect, it } from 'vitest'
import { readGgufHeader } from '../../../../src/runtime/weights/gguf/header.ts'
import { memorySource } from '../../../../src/runtime/weights/memory_source.ts'
import { type GgufFields, type GgufTensorData, type Metadata, writeGguf } from '../../../support/gguf.ts'

const F32 = 0
const Q4_0 = 2
const I32 = 26

const floats = (count: number) => new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer)
const TENSORS: Record<string, GgufTensorData> = {
  'a.bias': { type: F32, shape: [5], data: floats(5) },
  'a.weight': { type: Q4_0, shape: [3, 64], data: new Uint8Array(3 * 2 * 18) },
}

function read(bytes: Uint8Array) {
  return readGgufHeader({ source: memorySource(new Map([['a.gguf', bytes]]), 'folder'), path: 'a.gguf' })
}
const readOf = (metadata: Record<string, Metadata>, tensors = TENSORS, fields: GgufFields = {}) =>
  read(writeGguf(metadata, tensors, fields))

describe('the header of a GGUF file', () => {
  it('tells of its network and where tensors are, whatever else it holds', async () => {
    const { architecture, tensors, dataBegin } = await readOf(
      {
        'general.architecture': 'flux',
        'general.alignment': 64,
        'tokenizer.ggml.tokens': Array.from({ length: 7000 }, (_, i) => `a word of forty bytes, which is ${i}`),
        'tokenizer.ggml.token_type': [1, 2, 3],
        'general.name': 'x'.repeat(100_000),
      },
      TENSORS,
      { alignment: 64 },
    )
    expect(architecture).toBe('flux')
    expect(dataBegin % 64).toBe(0)
    expect([...tensors.values()].map(({ type, ...rest }) => ({ ...rest, type: type.name }))).toEqual([
      { name: 'a.bias', type: 'F32', shape: [5], begin: dataBegin, bytes: 20 },
      { name: 'a.weight', type: 'Q4_0', shape: [3, 64], begin: dataBegin + 64, bytes: 108 },
    ])
  })

  it('may lack an architecture, and fold a shape', async () => {
    const { architecture, tensors } = await readOf({ 'comfy.gguf.orig_shape.a.weight': [2, 4, 3, 8] })
    expect(architecture).toBeUndefined()
    expect(tensors.get('a.weight')?.shape).toEqual([2, 4, 3, 8])
  })

  it('of version 2 is the same', async () => {
    expect(await readOf({}, TENSORS, { version: 2 })).toEqual(await readOf({}))
  })
})

describe('a GGUF file is refused', () => {
  const one = (type: number, shape: number[], bytes: number) => ({ x: { type, shape, data: new Uint8Array(bytes) } })
  const whole = writeGguf({ 'general.architecture': 'flux' }, TENSORS)

  it.each<[string, () => Promise<unknown>, string, string | RegExp]>([
    [
      'of another kind',
      () => readOf({}, TENSORS, { magic: 'PK\x03\x04' }),
      'corrupt',
      'folder/a.gguf is not a valid GGUF file: it begins with "PK\\u0003\\u0004", not with "GGUF"',
    ],
    ['that is empty', () => read(new Uint8Array()), 'corrupt', 'it begins with ""'],
    ['of version 1', () => readOf({}, TENSORS, { version: 1 }), 'unsupported', 'folder/a.gguf is of GGUF version 1'],
    ['in another byte order', () => readOf({}, TENSORS, { version: 3 << 24 }), 'unsupported', 'big-endian'],
    [
      'that ends in its header',
      () => read(whole.slice(0, 100)),
      'corrupt',
      'its header goes on behind its end, at 100 bytes',
    ],
    [
      'that ends early',
      () => read(whole.slice(0, -40)),
      'corrupt',
      /tensor "a.weight" ends at byte \d+, and the file at \d+/,
    ],
    [
      'that goes on',
      () => read(new Uint8Array([...whole, ...new Uint8Array(40)])),
      'corrupt',
      '40 bytes at its end belong to no tensor',
    ],
    [
      'with more keys than it has',
      () => readOf({}, TENSORS, { keyCount: 2 ** 40 }),
      'corrupt',
      /is not a valid GGUF file/,
    ],
    [
      'with more tensors than it has',
      () => readOf({}, TENSORS, { tensorCount: 2 ** 40 }),
      'corrupt',
      /is not a valid GGUF file/,
    ],
    ['in parts', () => readOf({ 'split.count': 3 }), 'unsupported', 'folder/a.gguf is one of 3 files'],
    [
      'with a type that nobody reads',
      () => readOf({}, one(I32, [2], 8)),
      'unsupported',
      'tensor "x" of folder/a.gguf is of type I32; webdit reads F32, F16, BF16, Q4_0,',
    ],
    [
      'with a type that there is not',
      () => readOf({}, one(99, [2], 8)),
      'unsupported',
      'is of type number 99, which ggml has not',
    ],
    [
      'with rows of no whole blocks',
      () => readOf({}, one(Q4_0, [32, 5], 90)),
      'corrupt',
      'tensor "x" of shape [32, 5] is Q4_0, whose rows are blocks of 32',
    ],
    ['with a tensor of nothing', () => readOf({}, one(F32, [2, 0], 0)), 'corrupt', 'tensor "x" has shape [2, 0]'],
    [
      'with a tensor of everything',
      () => readOf({}, one(F32, [2 ** 40, 2 ** 40], 0)),
      'corrupt',
      'tensor "x" has shape',
    ],
    ['with many dimensions', () => readOf({}, one(F32, [1, 1, 1, 1, 1], 4)), 'corrupt', 'tensor "x" has 5 dimensions'],
    [
      'with an odd alignment',
      () => readOf({ 'general.alignment': 48 }),
      'corrupt',
      'general.alignment is 48, expected a power of two',
    ],
    [
      'with tensors elsewhere',
      () => readOf({ 'general.alignment': 64 }),
      'corrupt',
      'tensor "a.weight" is at byte 32 of its data, expected 64',
    ],
    [
      'with an architecture that is no text',
      () => readOf({ 'general.architecture': 3 }),
      'corrupt',
      'general.architecture is 3, expected a text',
    ],
    [
      'with a folded shape of another size',
      () => readOf({ 'comfy.gguf.orig_shape.a.weight': [2, 4] }),
      'corrupt',
      'tensor "a.weight" of shape [3, 64] is said to have been [2, 4]',
    ],
  ])('%s', async (_, reading, kind, message) => {
    await expect(reading()).rejects.toMatchObject({
      name: 'DitError',
      kind,
      message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    })
  })
})
