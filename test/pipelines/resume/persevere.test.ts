import { describe, expect, it } from 'vitest'
import { persevere } from '../../../src/pipelines/resume/persevere.ts'
import { DitError, type DitErrorKind } from '../../../src/runtime/errors.ts'
import { failure } from '../../support/failure.ts'

/** Attempts that reach these steps and fail so, and then one that succeeds. */
async function failing(failures: readonly [step: number, kind: DitErrorKind][]) {
  let [attempts, done] = [0, 0]
  const mended: number[] = []
  const drawn = persevere({
    attempt: async () => {
      const next = failures[attempts++]
      if (!next) return 'a picture'
      done = next[0]
      throw new DitError(next[1], `${next[1]} ${attempts}`)
    },
    done: () => ({ step: done, all: done }),
    mend: async (_, step) => void mended.push(step),
  })
  return { drawn, mended }
}

describe('perseverance', () => {
  it('lasts while steps are done between losses', async () => {
    const { drawn, mended } = await failing([1, 1, 2, 2, 3, 3].map((step) => [step, 'device-lost']))
    expect(await drawn).toBe('a picture')
    expect(mended).toEqual([1, 1, 2, 2, 3, 3])
  })

  it.each<[failures: [number, DitErrorKind][], message: string]>([
    [Array(3).fill([0, 'device-lost']), 'device-lost 3 (3 times before the first step was done)'],
    [Array(4).fill([2, 'device-lost']), 'device-lost 3 (3 times after step 2)'],
    [Array(2).fill([2, 'out-of-memory']), 'out-of-memory 2 (2 times after step 2)'],
    [[[0, 'out-of-memory']], 'out-of-memory 1'],
    [[[3, 'aborted']], 'aborted 1'],
    [[[3, 'corrupt']], 'corrupt 1'],
  ])('ends where nothing comes of it: %j', async (failures, message) => {
    const { drawn } = await failing(failures)
    const { kind, message: told } = await failure(drawn)
    expect([kind, told]).toEqual([failures[0][1], message])
  })

  it('ends with an error of its own kind at once, and with what cannot be mended', async () => {
    const own = new TypeError('a fault')
    const never = { done: () => ({ step: 1, all: 1 }), mend: async () => {} }
    await expect(persevere({ ...never, attempt: () => Promise.reject(own) })).rejects.toBe(own)
    const lost = new DitError('device-lost', 'gone')
    const left = new DitError('device-lost', 'none is left')
    const mend = () => Promise.reject(left)
    await expect(persevere({ ...never, mend, attempt: () => Promise.reject(lost) })).rejects.toBe(left)
  })
})
