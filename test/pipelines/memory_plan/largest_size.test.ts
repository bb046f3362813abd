import { expect, it } from 'vitest'
import { largestSize, type Size } from '../../../src/pipelines/memory_plan/largest_size.ts'

it.each<[Size, number]>([
  [{ height: 1024, width: 1024 }, 700_000],
  [{ height: 2048, width: 512 }, 700_000],
  [{ height: 48, width: 640 }, 16 * 320],
  [{ height: 32, width: 32 }, 256],
])('finds the largest size of about the shape of %j', async (asked, pixels) => {
  const fits = async ({ height, width }: Size) => height * width <= pixels
  const { height, width } = (await largestSize(asked, fits))!
  expect([height % 16, width % 16]).toEqual([0, 0])
  expect(height * width).toBeLessThanOrEqual(pixels)
  // One step more of its longer side, with the other in proportion, is too large.
  const longer = Math.max(asked.height, asked.width) / 16
  const steps = Math.max(height, width) / 16 + 1
  const side = (s: number) => Math.max(1, Math.floor((s * steps) / longer / 16)) * 16
  expect(side(asked.height) * side(asked.width)).toBeGreaterThan(pixels)
})

it('asks once where nothing fits, and never above the size that was asked for', async () => {
  const asked: Size[] = []
  const never = async (size: Size) => {
    asked.push(size)
    return false
  }
  expect(await largestSize({ height: 512, width: 256 }, never)).toBeUndefined()
  expect(asked).toEqual([{ height: 16, width: 16 }])
  const always = async ({ height }: Size) => height < 512
  expect(await largestSize({ height: 512, width: 256 }, always)).toEqual({ height: 496, width: 240 })
  expect(await largestSize({ height: 16, width: 16 }, always)).toBeUndefined()
})
