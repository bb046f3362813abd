import { afterAll, beforeAll, expect, it } from 'vitest'
import { lettersOf } from './letters.ts'
import { answered, bundle, onProcesses, type Scripts } from './ranks.ts'

let scripts: Scripts
beforeAll(async () => {
  scripts = await bundle()
})
afterAll(() => scripts?.remove())

const SEEDS = [1, 2]

it('three ranks in processes get all that they send each other bit for bit, signals too, and end clean', async () => {
  await onProcesses(scripts.entry, 3, async (ranks) => {
    for (const seed of SEEDS) {
      const letters = lettersOf(seed, 3)
      // What the seeds stand for: signals, several tensors at once, all types, odd sizes.
      expect(letters.some(({ tensors }) => tensors.length === 0)).toBe(true)
      expect(new Set(letters.flatMap(({ tensors }) => tensors.map(({ dtype }) => dtype))).size).toBe(3)
      const found = await Promise.all(ranks.map((rank) => answered(rank, rank.api.exchange(seed))))
      expect(found.flatMap(({ wrong }) => wrong)).toEqual([])
      expect(found.map(({ read }) => read)).toEqual(
        [0, 1, 2].map((rank) => letters.filter(({ to }) => to === rank).length),
      )
    }
    const delays = [0, 30, 60]
    const times = await Promise.all(
      ranks.map((rank, i) => answered(rank, rank.api.barriers(delays.map((_, k) => delays[(i + k) % 3])))),
    )
    for (const k of delays.keys()) {
      const came = Math.max(...times.map((rank) => rank[k].came))
      for (const rank of times) expect(rank[k].left).toBeGreaterThanOrEqual(came)
    }
    const left = await Promise.all(ranks.map((rank) => answered(rank, rank.api.close())))
    expect(left).toEqual([[], [], []])
  })
})
