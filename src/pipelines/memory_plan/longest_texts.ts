import { readJson } from '../../models/component.ts'
import { joinPath, type Source } from '../../runtime/weights/source.ts'
import type { PromptTokenizer } from '../text.ts'

/** Stand in where no prompt is known: every text is as long as can be, which is what a plan must allow for. */
export async function longestTexts(
  source: Source,
  folders: readonly string[],
): Promise<Readonly<Record<string, PromptTokenizer>>> {
  const entries = folders.map(async (folder) => [folder, await longestText(source, folder)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

async function longestText(source: Source, folder: string): Promise<PromptTokenizer> {
  const config = joinPath(folder, 'tokenizer_config.json')
  const { model_max_length: length } = (await source.exists(config)) ? await readJson(source, config) : {}
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
