import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { killTrial, MESHES } from './trial.ts'

const model = fileURLToPath(new URL('../../models/emoji-pixart/', import.meta.url))
// Node 20 runs no TypeScript: ranks stand on the built one.
const worker = new URL('../../dist/rank.js', import.meta.url)

it.each([0, 1, 2])(
  'a rank that is killed at a random moment ends the picture of all: trial %i',
  async (trial) => {
    const result = await killTrial({ model, config: MESHES[trial], signal: 'SIGKILL', random: Math.random, worker })
    expect(result.message).toMatch(new RegExp(`^rank ${result.rank}\\b`))
    expect(result.seconds).toBeLessThan(10)
    expect(result.left).toEqual([])
  },
  60_000,
)
