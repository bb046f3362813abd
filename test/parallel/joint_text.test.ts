import { describe, expect, it } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../src/parallel/config/parallel_config.ts'
import { Crew } from '../../src/parallel/crew/crew.ts'
import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { type AttendInputs, onOneDevice } from '../../src/runtime/execution.ts'
import { narrow } from '../../src/runtime/ops/index.ts'
import type { Recorder } from '../../src/runtime/recorder.ts'
import { degreesText } from '../mesh/factorisations.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { onMesh } from '../support/ranks.ts'

const [ROWS, COLUMNS, TEXTS, HEADS, DIM, BATCH] = [5, 3, 7, 5, 8, 2]
const TOKENS = ROWS * COLUMNS
const values = (tokens: number) => random(BATCH * tokens * HEADS * DIM)
const image = { q: values(TOKENS), k: values(TOKENS), v: values(TOKENS) }
const text = { q: values(TEXTS), k: values(TEXTS), v: values(TEXTS) }

/** The whole inputs on a device. */
function inputs(g: Recorder, textFirst: boolean): AttendInputs & { text: NonNullable<AttendInputs['text']> } {
  const up = (x: Float32Array, tokens: number) => g.upload(x, [BATCH, tokens, HEADS * DIM])
  const all = (of: typeof image, tokens: number) => ({
    q: up(of.q, tokens),
    k: up(of.k, tokens),
    v: up(of.v, tokens),
  })
  return { ...all(image, TOKENS), heads: HEADS, text: all(text, TEXTS), textFirst }
}

/** What rank by rank comes out of one attention of a step, the image cut to the rank's tokens. */
function attended(config: ParallelConfig, textFirst: boolean, step: number) {
  return onMesh(config, async ({ g, ranks }) => {
    const facts = { blocks: 1, grid: { rows: ROWS, columns: COLUMNS }, steps: 3, guided: false }
    const crew = new Crew(ranks, facts)
    const execution = crew.execution(step, crew.whole)
    const { first, end } = execution.tokens
    const { q, k, v, ...rest } = inputs(g, textFirst)
    const [ownQ, ownK, ownV] = [q, k, v].map((x) => narrow(g, x, 1, first, end))
    const out = await execution.attend(g, 'site', { ...rest, q: ownQ, k: ownK, v: ownV })
    const result = { image: await g.read(out.image), text: await g.read(out.text!), first, end }
    crew.end(g)
    return result
  })
}

describe.each([
  ['text first', true],
  ['text last', false],
] as const)('attention to image and text together, %s', (_, textFirst) => {
  const oneDevice = async () => {
    const [result] = await onMesh(ON_ONE_DEVICE, async ({ g }) => {
      const out = await onOneDevice(1, TOKENS).attend(g, 'site', inputs(g, textFirst))
      return { image: await g.read(out.image), text: await g.read(out.text!) }
    })
    return result
  }

  const meshes: [Partial<Degrees>, Partial<ParallelConfig>][] = [
    [{ ulysses: 2 }, {}],
    [{ ring: 3 }, {}],
    [{ ulysses: 2, ring: 2 }, {}],
    [{ ulysses: 5, ring: 1 }, {}],
    // Kept keys, of a step whose keys are all fresh.
    [{ pipefusion: 1, ulysses: 2, ring: 2 }, { numPipelinePatch: 2 }],
    [{ ulysses: 3 }, { distrifusion: true }],
  ]
  it.each(meshes.map(([degrees, more]) => [degreesText({ ...ONE_RANK, ...degrees }), degrees, more] as const))(
    '%s gives what one device does',
    async (__, degrees, more) => {
      const expected = await oneDevice()
      const ranks = await attended({ ...ON_ONE_DEVICE, ...more, degrees: { ...ONE_RANK, ...degrees } }, textFirst, 0)
      for (const { image: own, text: texts, first, end } of ranks) {
        const width = HEADS * DIM
        const rows = Array.from({ length: BATCH }, (___, b) =>
          expected.image.slice((b * TOKENS + first) * width, (b * TOKENS + end) * width),
        )
        expect(relativeL2(own, Float32Array.from(rows.flatMap((row) => [...row])))).toBeLessThan(1e-6)
        expect(relativeL2(texts, expected.text)).toBeLessThan(1e-6)
      }
    },
  )
})
