import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Rank, startRank } from '../../../src/pipelines/start_rank.ts'
import { GOLDEN, loadGolden } from '../../support/golden_io.ts'
import { relativeL2 } from '../../support/numbers.ts'

// The built worker: Node 20 runs no TypeScript.
const worker = new URL('../../../dist/rank.js', import.meta.url)
const model = `${GOLDEN}pipeline_pixart_sigma`

/** The model is trained for larger pictures, which would be drawn and resized. */
const small = { useResolutionBinning: false, height: 80, width: 80 }

describe('a rank in a worker thread', () => {
  let rank: Rank
  beforeAll(async () => {
    rank = await startRank(model, { worker })
  })
  afterAll(() => rank.close())

  it('draws what diffusers draws, and tells of each step', async () => {
    const io = loadGolden('pipeline_pixart_sigma')
    const steps: number[] = []
    const { latents, images } = await rank.run(
      ['a photo of a small cat sleeping on a red sofa', 'An astronaut riding a horse, highly detailed!'],
      {
        negativePrompt: 'low quality',
        useResolutionBinning: false,
        height: 80,
        width: 112,
        numInferenceSteps: 5,
        maxSequenceLength: 100,
        latents: io['input.latents'].data as Float32Array,
        onStep: ({ step }) => steps.push(step),
      },
    )
    expect(relativeL2(latents.data, io['output.latents'].data as Float32Array)).toBeLessThan(1e-3)
    expect(images.map(({ width, height, data }) => [width, height, data.length])).toEqual(
      Array(2).fill([112, 80, 112 * 80 * 3]),
    )
    expect(steps).toEqual([1, 2, 3, 4, 5])
  })

  it('passes errors on whole, and goes on', async () => {
    await expect(rank.run('a cat', { height: 81, useResolutionBinning: false })).rejects.toMatchObject({
      kind: 'bad-argument',
      message: expect.stringContaining('nearest allowed are 80 and 96'),
    })
    const { latents } = await rank.run('a cat', { ...small, numInferenceSteps: 1, outputType: 'latent' })
    expect(latents.shape).toEqual([1, 4, 10, 10])
  })

  it('stops when told to', async () => {
    const stop = new AbortController()
    const run = rank.run('a cat', {
      ...small,
      numInferenceSteps: 50,
      signal: stop.signal,
      onStep: () => stop.abort(),
    })
    await expect(run).rejects.toMatchObject({ kind: 'aborted' })
  })

  it("ends a run with what its caller's onStep throws, and goes on", async () => {
    const run = rank.run('a cat', {
      ...small,
      numInferenceSteps: 1,
      outputType: 'latent',
      onStep: () => {
        throw new RangeError('mine')
      },
    })
    await expect(run).rejects.toThrow('mine')
    const { latents } = await rank.run('a cat', { ...small, numInferenceSteps: 1, outputType: 'latent' })
    expect(latents.shape).toEqual([1, 4, 10, 10])
  })

  it('tells how far it has loaded, all of it before it is there', async () => {
    const loaded = new Map<string, number>()
    const onProgress = (component: string, bytes: number, total: number) => loaded.set(component, bytes / total)
    const other = await startRank(model, { worker, onProgress })
    expect([...loaded]).toEqual([
      ['text_encoder', 1],
      ['transformer', 1],
      ['vae', 1],
    ])
    await other.close()
  })

  it('stops loading when told to', async () => {
    const stop = new AbortController()
    const loading = startRank(model, { worker, signal: stop.signal, onProgress: () => stop.abort() })
    await expect(loading).rejects.toMatchObject({ kind: 'aborted' })
    const late = startRank(model, { worker, signal: stop.signal })
    await expect(late).rejects.toMatchObject({ kind: 'aborted' })
  })

  it('says what is wrong with a folder', async () => {
    const missing = startRank(fileURLToPath(new URL('./', import.meta.url)), { worker })
    await expect(missing).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('model_index.json'),
    })
  })
})
