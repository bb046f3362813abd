import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DitImage } from '../../../src/pipelines/image/image.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import { readSafetensorsHeader, readTensor } from '../../../src/runtime/weights/safetensors.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

async function read(path: string, name: string) {
  const source = await openFolder(REPOSITORY)
  const { shape, data } = await readTensor(source, await readSafetensorsHeader(source, path), name)
  await source.close()
  return { shape, data: data as Float32Array }
}

describe('DitImage.fromFloat', () => {
  it('gives the bytes of VaeImageProcessor.postprocess', async () => {
    const { shape, data } = await read('test/fixtures/golden/functions/io.safetensors', 'input.postprocess.image')
    const { data: unit } = await read('test/fixtures/golden/functions/io.safetensors', 'output.postprocess.image')
    const image = DitImage.fromFloat(data, shape[2], shape[3])
    expect([image.width, image.height]).toEqual([12, 8])
    // The oracle is 0 to 1, height x width x 3; each byte is the whole number nearest to 255 times that.
    expect(image.data).toHaveLength(unit.length)
    for (const [i, value] of unit.entries()) expect(Math.abs(image.data[i] - value * 255)).toBeLessThanOrEqual(0.5001)
    expect(unit.includes(0) && unit.includes(1)).toBe(true) // clamping is seen
  })

  it.each(['red-apple', 'smiling-cat'])('gives the picture that Python saved: %s', async (name) => {
    const folder = `models/emoji-pixart/golden/${name}`
    const { shape, data } = await read(`${folder}.safetensors`, 'image')
    const { data: expected } = decode(await readFile(`${REPOSITORY}/${folder}.png`))
    const image = DitImage.fromFloat(
      data.map((unit) => 2 * unit - 1),
      shape[1],
      shape[2],
    )
    expect(image.data).toEqual(new Uint8Array(expected))
  })

  it('rounds halves to even and clamps', () => {
    const of = (...rgb: number[]) => [...DitImage.fromFloat(Float32Array.from(rgb), 1, 1).data]
    expect(of(-7, 1.5, Infinity)).toEqual([0, 255, 255])
    expect(of(0, 0, 0)).toEqual([128, 128, 128]) // 127.5
    const near = (byte: number) => (2 * byte) / 255 - 1
    expect(of(near(2), near(2.51), near(3.49))).toEqual([2, 3, 3])
    // Inputs for which f32 arithmetic gives exactly 64.5, 128.5 and 200.5 (numpy rounds those down), 65.5 (up).
    expect(of(-0.4941175878047943, 0.00784307811409235, 0.5725489854812622)).toEqual([64, 128, 200])
    expect(of(-0.48627445101737976, -1, 1)).toEqual([66, 0, 255])
  })

  it('refuses NaN and sizes that do not match', () => {
    expect(() => DitImage.fromFloat(Float32Array.of(0, Number.NaN, 0), 1, 1)).toThrow('not numbers')
    expect(() => DitImage.fromFloat(new Float32Array(5), 1, 2)).toThrow('an RGB image of 2x1 has 6 values, but 5')
    expect(() => new DitImage(0, 4, new Uint8Array(0))).toThrow('0x4')
  })
})

describe('DitImage.save', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('points to toPng in a page', async () => {
    const image = new DitImage(1, 1, Uint8Array.of(1, 2, 3))
    vi.stubGlobal('process', undefined)
    const saving = image.save('x.png').catch((error) => error)
    const error = await saving
    vi.unstubAllGlobals()
    expect(error).toMatchObject({ name: 'DitError', kind: 'unsupported' })
    expect(error.hint).toContain('toPng()')
  })
})
