import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { ONE_RANK, sizeOf } from '../../../src/parallel/mesh/mesh.ts'
import { MeshKeeper } from '../../../src/pipelines/team/mesh_keeper.ts'
import type { ResumableTeam } from '../../../src/pipelines/team/team.ts'
import { DitError, type DitErrorKind } from '../../../src/runtime/errors.ts'
import { failure } from '../../support/failure.ts'

const ring = (ring: number): ParallelConfig => ({ ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ring } })
const card = (adapter: string) => ({ platform: { adapter } })
const lost = (rank: number, how = 'ended') => new DitError('device-lost', `rank ${rank}: its process ${how}`)
const stuck = new DitError('device-lost', 'rank 1 is stuck: rank 0 waits')

/** Ranks on cards a, b and c. @param broken cards that cannot be opened, by their errors' kind */
function kept(cards: string | undefined, broken: Record<string, DitErrorKind> = {}) {
  const started: string[] = []
  const mesh = { config: ring(cards?.length ?? 3), cards: cards === undefined ? undefined : [...cards].map(card) }
  const keeper = new MeshKeeper(mesh, {
    pauses: [0, 0],
    start: async ({ config, cards }) => {
      const names = cards?.map(({ platform }) => platform!.adapter!) ?? []
      started.push(`${names.join('')} ${sizeOf(config.degrees)}`)
      const rank = names.findIndex((name) => broken[name])
      if (rank >= 0) throw new DitError(broken[names[rank]], `rank ${rank}: no`)
      return { size: names.length } as ResumableTeam
    },
    smaller: async (_, left) => ring(left.length),
  })
  return { keeper, started }
}

describe('ranks that are started again', () => {
  it('are as many as before, once for each rank that ends', async () => {
    const { keeper, started } = kept('abc')
    await keeper.start(lost(1))
    await keeper.start(lost(2))
    keeper.forgive()
    await keeper.start(lost(2))
    expect(started).toEqual(['abc 3', 'abc 3', 'abc 3'])
  })

  it.each<[string, DitError[]]>([
    ['hangs', [stuck]],
    ['ends twice, with no step between', [lost(1), lost(1)]],
  ])('are without the one that %s', async (_, causes) => {
    const { keeper, started } = kept('abc')
    for (const cause of causes) await keeper.start(cause)
    expect(started.at(-1)).toBe('ac 2')
    expect(keeper.config).toEqual(ring(2))
  })

  it('are those whose devices can still be opened, down to one', async () => {
    const { keeper, started } = kept('abc', { a: 'no-adapter', c: 'device-lost' })
    expect(await keeper.start(lost(2))).toMatchObject({ size: 1 })
    // Each mesh is tried twice: a driver may take its time.
    expect(started).toEqual(['abc 3', 'abc 3', 'bc 2', 'bc 2', 'b 1'])
  })

  it.each<[string, string | undefined, Record<string, DitErrorKind>, DitError, RegExp]>([
    [
      'none can be started',
      'ab',
      { a: 'device-lost', b: 'device-lost' },
      lost(1),
      /^rank 1: .*; and no other ranks could/,
    ],
    [
      'they do not fit fewer devices',
      'ab',
      { a: 'out-of-memory' },
      lost(1),
      /; and no other ranks could be started: rank 0: no$/,
    ],
    ['they share a device that hangs', undefined, {}, stuck, /^rank 1 is stuck/],
  ])('fail where %s, and say so', async (_, cards, broken, cause, message) => {
    const { keeper } = kept(cards, broken)
    expect(await failure(keeper.start(cause))).toMatchObject({
      kind: 'device-lost',
      message: expect.stringMatching(message),
    })
  })
})
