import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { openWeightsFile } from '../../../../src/runtime/weights/checkpoint.ts'
import { memorySource } from '../../../../src/runtime/weights/memory_source.ts'
import { writeGguf } from '../../../support/gguf.ts'

const GGML = JSON.parse(readFileSync(new URL('../../../fixtures/gguf/blocks.json', import.meta.url), 'utf8'))
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

/** Three rows of a block each of 256 values, 300 of two blocks of 32 (more than are decoded at once), and floats. */
const TIMES = 50

const file = writeGguf(
  {},
  {
    k: { type: 12, shape: [3, 256], data: bytesOf(GGML.Q4_K.blocks) },
    q: { type: 6, shape: [300, 64], data: bytesOf(GGML.Q5_0.blocks.repeat(TIMES)) },
    plain: { type: 1, shape: [3], data: new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3555).buffer) },
  },
)
const open = () => openWeightsFile({ source: memorySource(new Map([['a.gguf', file]]), 'folder'), path: 'a.gguf' })
const EXPECTED = { k: bytesOf(GGML.Q4_K.dequantized), q: bytesOf(GGML.Q5_0.dequantized.repeat(TIMES)) }

it('gives blocks as float32, and floats as they are stored', async () => {
  const checkpoint = await open()
  expect(checkpoint.names()).toEqual(['k', 'plain', 'q'])
  expect(checkpoint.entry('q').tensor).toMatchObject({
    dtype: 'F32',
    shape: [300, 64],
    bytes: 300 * 64 * 4,
    inFile: 22 / 128,
  })
  expect(checkpoint.entry('plain').tensor).toMatchObject({ dtype: 'F16', shape: [3], bytes: 6 })
  expect(await checkpoint.read('plain')).toEqual({ shape: [3], data: Float32Array.of(1, -2, 0.333251953125) })
  expect(await checkpoint.read('k')).toEqual({ shape: [3, 256], data: new Float32Array(EXPECTED.k.buffer) })
  expect(() => checkpoint.entry('x')).toThrow('the weights in folder/a.gguf have no tensor "x"')
})

it.each(['k', 'q'] as const)('gives any part of %s', async (name) => {
  const checkpoint = await open()
  const expected = EXPECTED[name]
  for (const [offset, length] of [
    [0, 4],
    [4, 124],
    [124, 8],
    [128, 128],
    [1020, 1100],
    [3, 1],
    [0, expected.length],
    [1, 1030],
    [expected.length - 5, 5],
  ]) {
    const target = new Uint8Array(length)
    await checkpoint.readInto(name, offset, target)
    expect(Buffer.compare(target, expected.subarray(offset, offset + length)), `${offset}, ${length}`).toBe(0)
  }
})
