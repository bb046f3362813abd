import { beforeAll, expect, it } from 'vitest'
import { Arena, megabytes } from '../../src/runtime/arena.ts'
import { testDevice } from '../support/device.ts'

let arena: Arena
beforeAll(async () => {
  arena = new Arena((await testDevice()).gpu)
})

it('hands a returned buffer to the next tensor of its size or a little less', () => {
  const first = arena.take(10_000, 'a')
  arena.give(first)
  expect(arena.take(9_000, 'b')).toBe(first)
  arena.give(first)
  // far smaller ones get their own: a large buffer is not spent on them
  const small = arena.take(1_000, 'c')
  expect(small).not.toBe(first)
  arena.give(small)
})

it('takes the tightest of the free buffers', () => {
  const [wide, tight] = [arena.take(16_384, 'wide'), arena.take(12_288, 'tight')]
  arena.give(wide)
  arena.give(tight)
  expect(arena.take(12_000, 'x')).toBe(tight)
  arena.give(tight)
})

it('destroys free buffers to stay inside its budget, and refuses what is over it', () => {
  arena.trim()
  expect(arena.reserved).toBe(0)
  arena.budget = 8192
  arena.give(arena.take(8192, 'a'))
  const half = arena.take(1024, 'b')
  expect(arena.reserved).toBe(1024)
  expect(() => arena.take(8192, 'c')).toThrow(/--memory/)
  expect(arena.reserved).toBe(1024)
  arena.give(half)
  arena.trim()
  expect(arena.reserved).toBe(0)
})

it('writes sizes as people read them', () => {
  expect(megabytes(3 * 2 ** 19)).toBe('1.5 MiB')
  expect(megabytes(5 * 2 ** 29)).toBe('2.5 GiB')
})
