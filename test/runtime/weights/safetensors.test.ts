import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { readSafetensorsHeader, readTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors.ts'
import { expectFailure } from './expect_failure.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

/** A file with this header text (or object) and so many bytes of data, wholly as given. */
function fileOf(header: unknown, dataBytes: number, claimed?: bigint) {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const file = new Uint8Array(8 + text.length + dataBytes)
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true)
  file.set(text, 8)
  return readSafetensorsHeader(memorySource(new Map([['m.safetensors', file]]), 'here'), 'm.safetensors')
}

const f32 = (shape: unknown, begin: unknown, end: unknown) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })

describe('readSafetensorsHeader', () => {
  it('reads every tensor of the trained model and of the reference cases', async () => {
    const source = await openFolder(REPOSITORY)
    const paths: string[] = []
    for (const folder of ['models', 'test/fixtures/golden']) {
      const names = await readdir(`${REPOSITORY}/${folder}`, { recursive: true })
      for (const name of names.sort()) if (name.endsWith('.safetensors')) paths.push(`${folder}/${name}`)
    }
    expect(paths.length).toBeGreaterThan(30)
    for (const path of paths) {
      const file = await readSafetensorsHeader(source, path)
      let elements = 0
      for (const { name, shape } of file.tensors.values()) {
        const { data } = await readTensor(source, file, name)
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1))
        elements += data.length
      }
      expect(elements).toBeGreaterThan(0)
    }
    await source.close()
  })

  it('agrees with what is known of the trained model', async () => {
    const source = await openFolder(`${REPOSITORY}/models/emoji-pixart`)
    const transformer = await readSafetensorsHeader(source, 'transformer/diffusion_pytorch_model.safetensors')
    expect(transformer.tensors.size).toBe(183)
    expect(transformer.metadata).toEqual({ format: 'pt' })
    expect([...transformer.tensors.values()].every(({ dtype }) => dtype === 'F16')).toBe(true)

    const golden = await readSafetensorsHeader(source, 'golden/red-apple.safetensors')
    expect(golden.metadata.prompt).toBe('red apple')
    const ids = await readTensor(source, golden, 'input_ids')
    expect(ids).toMatchObject({ dtype: 'I32', shape: [1, 32] })
    expect(ids.data).toBeInstanceOf(Int32Array)
    const timesteps = await readTensor(source, golden, 'timesteps')
    expect(timesteps.data[0]).toBe(999)
    await source.close()
  })

  it('takes scalars, empty tensors, files without tensors and tensors out of order', async () => {
    const file = await fileOf(
      { b: f32([2], 4, 12), a: f32([], 0, 4), none: f32([0, 7], 4, 4), pad: f32([3, 0], 12, 12) },
      12,
    )
    expect(file.tensors.get('b')).toMatchObject({ dtype: 'F32', shape: [2], bytes: 8 })
    expect(file.tensors.get('b')!.begin - file.tensors.get('a')!.begin).toBe(4)
    expect((await fileOf('{}   ', 0)).tensors.size).toBe(0)
  })

  it.each<[string, unknown, number, string[]]>([
    ['invalid JSON', '{"a"', 0, ['here/m.safetensors', 'line 1, column 5']],
    ['a header that is a list', '[]', 0, ['not a JSON object']],
    [
      'a name twice',
      `{"a":${JSON.stringify(f32([1], 0, 4))},"a":${JSON.stringify(f32([1], 4, 8))}}`,
      8,
      ['each key once', 'a'],
    ],
    ['an entry that is no object', { a: 3 }, 0, ['"a" is not described']],
    ['no dtype', { a: { shape: [1], data_offsets: [0, 4] } }, 4, ['"a" has no dtype']],
    ['a negative length', { a: f32([-1], 0, 4) }, 4, ['"a" has shape [-1]']],
    ['a fractional length', { a: f32([0.5], 0, 2) }, 2, ['"a" has shape [0.5]']],
    ['a shape that is no list', { a: f32('4', 0, 4) }, 4, ['"a" has shape "4"']],
    ['a shape that overflows', { a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4, ['"a" has a shape whose size overflows']],
    ['offsets past the end', { a: f32([2], 0, 8) }, 4, ['"a" lies at bytes 0 to 8 of 4']],
    ['offsets the wrong way round', { a: f32([1], 4, 0) }, 4, ['"a" lies at bytes 4 to 0']],
    [
      'offsets that are one number',
      { a: { dtype: 'F32', shape: [1], data_offsets: [0] } },
      4,
      ['"a" has data_offsets [0]'],
    ],
    [
      'a size that does not match the shape',
      { a: f32([3], 0, 8) },
      8,
      ['"a", F32 of shape [3], takes 12 bytes but has 8'],
    ],
    ['tensors that overlap', { a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8, ['"b" overlaps']],
    ['a hole', { a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, ['"b" leaves 4 bytes']],
    ['bytes after the last tensor', { a: f32([1], 0, 4) }, 6, ['2 bytes at its end']],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 0, ['__metadata__']],
  ])('refuses %s', async (_, header, dataBytes, named) => {
    const error = await expectFailure(fileOf(header, dataBytes), 'corrupt', 'm.safetensors', ...named)
    expect(error.hint).toBeTruthy()
  })

  it('refuses headers longer than the file or than the limit of the format, and files without one', async () => {
    await expectFailure(fileOf('{}', 0, 3n), 'corrupt', 'claims 3 bytes', 'at most 2')
    await expectFailure(fileOf('{}', 0, 2n ** 64n - 1n), 'corrupt', '18446744073709551615')
    const source = memorySource(new Map([['short', new Uint8Array(7)]]))
    await expectFailure(readSafetensorsHeader(source, 'short'), 'corrupt', '7 bytes')
    // A sparse stand-in for a file of 300 MB, of which nothing behind the prefix may be read.
    const huge = {
      ...source,
      size: async () => 3e8,
      readInto: async (_path: string, _offset: number, target: Uint8Array) => {
        expect(target.byteLength).toBe(8)
        new DataView(target.buffer).setBigUint64(0, 100_000_001n, true)
      },
    }
    await expectFailure(readSafetensorsHeader(huge, 'huge'), 'corrupt', 'claims 100000001 bytes', 'at most 100000000')
  })

  it('calls an unknown dtype unsupported', async () => {
    const header = { a: { dtype: 'F4', shape: [2], data_offsets: [0, 1] } }
    await expectFailure(fileOf(header, 1), 'unsupported', '"a"', 'm.safetensors', '"F4"')
  })

  it('keeps messages short whatever the names', async () => {
    const error = await expectFailure(fileOf({ ['x'.repeat(1e5)]: 1 }, 0), 'corrupt')
    expect(error.message.length).toBeLessThan(400)
  })
})

describe('writeSafetensors', () => {
  it('writes what the reader reads, aligned, and the same bytes each time', async () => {
    const tensors = {
      latents: { dtype: 'F32' as const, shape: [2, 2], data: Float32Array.of(1, -2.5, NaN, 4) },
      ids: { dtype: 'I64' as const, shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
      mask: { dtype: 'BOOL' as const, shape: [3], data: Uint8Array.of(1, 0, 1) },
      half: { dtype: 'F16' as const, shape: [], data: Uint16Array.of(0x3c00) },
      'a \u2603': { dtype: 'I32' as const, shape: [0], data: new Int32Array(0) },
    }
    const bytes = writeSafetensors(tensors, { prompt: 'röd äpple' })
    expect(writeSafetensors(Object.fromEntries(Object.entries(tensors).reverse()), { prompt: 'röd äpple' })).toEqual(
      bytes,
    )
    const source = memorySource(new Map([['f', bytes]]))
    const file = await readSafetensorsHeader(source, 'f')
    expect(file.metadata).toEqual({ prompt: 'röd äpple' })
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      const back = await readTensor(source, file, name)
      expect(back).toEqual({ dtype, shape, data: dtype === 'F16' ? Float32Array.of(1) : data })
    }
    expect(file.tensors.get('ids')!.begin % 8).toBe(0)
    expect(file.tensors.get('latents')!.begin % 4).toBe(0)
    await expectFailure(readTensor(source, file, 'absent'), 'not-found', '"absent"')
  })

  it('refuses data that does not match', () => {
    const write = (data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>) => () =>
      writeSafetensors({ x: { dtype: 'F32', shape: [2, 3], data } })
    expect(write(new Float32Array(5))).toThrow('shape [2,3] from a Float32Array of 5; expected a Float32Array of 6')
    expect(write(new Int32Array(6))).toThrow('from a Int32Array of 6')
  })
})
