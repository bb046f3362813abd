import { expect, it } from 'vitest'
import { startRank } from '../../src/pipelines/start_rank.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { failure } from './inject.ts'

const model = `${GOLDEN}pipeline_pixart_sigma`

/** The worker stands on the built one: Node 20 runs no TypeScript. */
function worker(fault: string, at: number): URL {
  process.env.FAULTY_RANK = `${fault} ${at}`
  return new URL('./faulty_rank.mjs', import.meta.url)
}

const call = { height: 32, width: 32, numInferenceSteps: 2, useResolutionBinning: false, outputType: 'latent' } as const

it.each([
  ['loses its device in the load', 'lost', /^the device .* was lost/],
  ['fails at its start', 'throw', /^the rank's worker failed: a fault of the worker$/],
])('a rank that %s says so where it was started', async (_, fault, message) => {
  const load = startRank(model, { worker: worker(fault, 20) })
  expect(await failure(load)).toMatchObject({ kind: 'device-lost', message: expect.stringMatching(message) })
})

it('a rank that loses its device in a run says so, then and from then on', async () => {
  // The load takes an encoder for each weight, of which there are about 180.
  const rank = await startRank(model, { worker: worker('lost', 200) })
  const lost = { name: 'DitError', kind: 'device-lost', hint: expect.stringContaining('run again') }
  for (let runs = 0; ; runs++) {
    expect(runs).toBeLessThan(30)
    const outcome = await Promise.allSettled([rank.run('a cat', call)])
    if (outcome[0].status === 'fulfilled') continue
    expect(outcome[0].reason).toMatchObject(lost)
    break
  }
  expect(await failure(rank.run('a cat', call))).toMatchObject(lost)
  await rank.close()
})

it('a rank that is closed in a run ends the run first, and the process goes on', async () => {
  const rank = await startRank(model, { worker: worker('none', 0) })
  let closed: Promise<void> | undefined
  const onStep = () => {
    closed ??= rank.close()
  }
  expect(await failure(rank.run('a cat', { ...call, numInferenceSteps: 50, onStep }))).toMatchObject({
    kind: 'aborted',
  })
  await closed
})
