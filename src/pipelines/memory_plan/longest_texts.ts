import { readJson } from '../../models/component.ts'
import type { Source } from '../../runtime/weights/source.ts'
import type { PromptTokenizer } from '../text.ts'

const CONFIG = 'tokenizer/tokenizer_config.json'

/** Stands in where no prompt is known: every text is as long as can be, which is what a plan must allow for. */
export async function longestTexts(source: Source): Promise<PromptTokenizer> {
  const { model_max_length: length } = (await source.exists(CONFIG)) ? await readJson(source, CONFIG) : {}
  return {
    modelMaxLength: typeof length === 'number' && length > 0 ? length : Number.POSITIVE_INFINITY,
    encode: (texts, { maxLength }) => ({
      inputIds: new Int32Array(texts.length * maxLength),
      attentionMask: new Int32Array(texts.length * maxLength).fill(1),
      length: maxLength,
      truncated: texts.map(() => null),
    }),
  }
}
