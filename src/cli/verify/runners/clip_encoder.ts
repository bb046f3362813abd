import { clipTextEncoder, clipTextProjection, hiddenOfSkip } from '../../../models/clip/encoder.ts'
import type { Run } from '../run.ts'
import { calls } from './calls.ts'
import { readAll } from './read_all.ts'

export const clipTextModel = calls('CLIPTextModel', { forward: (run) => forward(run, 'CLIPTextModel') })

export const clipTextModelWithProjection = calls('CLIPTextModelWithProjection', {
  forward: (run) => forward(run, 'CLIPTextModelWithProjection'),
})

function forward(run: Run, className: 'CLIPTextModel' | 'CLIPTextModelWithProjection'): Promise<void> {
  return run.withNetwork(className, async ({ config, weights }) => {
    const ids = await run.tensor('input_ids')
    const states = (k: number) =>
      run.compute(async (g) => {
        const { pooled, ...states } = await clipTextEncoder(g, config, weights, ids.data, ids.shape[0], k)
        const embeds = className === 'CLIPTextModel' ? pooled : clipTextProjection(g, weights, pooled)
        return readAll(g, { ...states, embeds })
      })
    const { hidden, last, embeds } = await states(hiddenOfSkip())
    await run.compare('output.last_hidden_state', last)
    await run.compare('output.hidden_states.penultimate', hidden)
    await run.compare('output.hidden_states.final', (await states(1)).hidden)
    await run.compare(className === 'CLIPTextModel' ? 'output.pooler_output' : 'output.text_embeds', embeds)
  })
}
