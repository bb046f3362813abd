import { t5Encoder } from '../../../models/t5/encoder.ts'
import { calls } from './calls.ts'

export const t5EncoderModel = calls('T5EncoderModel', {
  forward: (run) =>
    run.withNetwork('T5EncoderModel', async ({ config, weights }) => {
      const ids = await run.tensor('input_ids')
      const mask = run.argument('attention_mask') ? (await run.tensor('attention_mask')).data : undefined
      const hidden = await run.computeTensor((g) => t5Encoder(g, config, weights, ids.data, ids.shape[0], mask))
      await run.compare('output.last_hidden_state', hidden)
    }),
})
