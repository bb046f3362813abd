import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { resizeLanczos } from '../../../src/pipelines/image/lanczos.ts'
import { loadSafetensors } from '../../support/golden_io.ts'

const FILE = fileURLToPath(new URL('../../fixtures/image_to_image/resize.safetensors', import.meta.url))
const tensors = loadSafetensors(FILE)

const cases = Object.keys(tensors)
  .filter((name) => name.endsWith('.before'))
  .map((name) => {
    const [before, after] = [tensors[name], tensors[name.replace('before', 'after')]]
    const [from, to] = [before, after].map(({ shape }) => `${shape[1]}x${shape[0]}`)
    return [from, to, before, after] as const
  })

describe('resizeLanczos', () => {
  it.each(cases)('gives the bytes of Pillow: %s to %s', (_from, _to, before, after) => {
    const [height, width] = before.shape
    const [newHeight, newWidth] = after.shape
    const resized = resizeLanczos({ height, width, data: before.data as Uint8Array }, newHeight, newWidth)
    expect([resized.width, resized.height]).toEqual([newWidth, newHeight])
    expect(Buffer.compare(Buffer.from(resized.data), Buffer.from(after.data as Uint8Array))).toBe(0)
  })

  it('is tried at nine pairs of sizes', () => expect(cases).toHaveLength(9))
})
