import { readJson } from '../../../models/component.ts'
import { loadTokenizer } from '../../../models/tokenizers/load_tokenizer.ts'
import { EXACT } from '../compare.ts'
import type { Run, Runner } from '../run.ts'

/** tokens.json. */
interface Tokens {
  readonly pad_to: number
  readonly cases: readonly {
    readonly text: string
    readonly input_ids: readonly number[]
    readonly padded_input_ids: readonly number[]
    readonly padded_attention_mask: readonly number[]
  }[]
}

/** Token ids of a list of texts. */
export const tokensRunner: Runner = {
  async run(run) {
    const tokenizer = await loadTokenizer(run.source, '')
    const { pad_to, cases } = (await readJson(run.source, String(run.meta.tokens))) as unknown as Tokens
    cases.forEach((expected, i) => {
      const plain = tokenizer.encode([expected.text], { maxLength: Number.MAX_SAFE_INTEGER, padding: 'longest' })
      const padded = tokenizer.encode([expected.text], { maxLength: pad_to, padding: 'max_length' })
      same(run, 'input_ids', i, plain.inputIds, expected.input_ids)
      same(run, 'padded_input_ids', i, padded.inputIds, expected.padded_input_ids)
      same(run, 'padded_attention_mask', i, padded.attentionMask, expected.padded_attention_mask)
    })
  },
}

function same(run: Run, what: string, text: number, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const row = (data: ArrayLike<number>) => ({ shape: [data.length], data })
  run.check(`${what}[${text}]`, row(actual), row(expected), EXACT, { group: what })
}
