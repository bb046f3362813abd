import { bertEncoder, bertPooler } from '../../../models/bert/encoder.ts'
import { calls } from './calls.ts'
import { readAll } from './read_all.ts'

export const bertModel = calls('BertModel', {
  forward: (run) =>
    run.withNetwork('BertModel', async ({ config, weights }) => {
      const ids = await run.tensor('input_ids')
      const optional = async (name: string) => (run.argument(name) ? (await run.tensor(name)).data : undefined)
      const [mask, types] = [await optional('attention_mask'), await optional('token_type_ids')]
      const { hidden, pooled } = await run.compute(async (g) => {
        const state = await bertEncoder(g, config, weights, { ids: ids.data, batch: ids.shape[0], mask, types })
        return readAll(g, { hidden: state, pooled: bertPooler(g, weights, state) })
      })
      await run.compare('output.last_hidden_state', hidden)
      await run.compare('output.pooler_output', pooled)
    }),
})
