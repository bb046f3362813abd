import { readJson } from '../../models/component.ts'
import { DitError } from '../../runtime/errors.ts'
import { describePath, joinPath, type Source } from '../../runtime/weights/source.ts'
import type { PromptTokenizer } from '../text.ts'

/** Stand in where no prompt is known: every text is as long as can be, which is what a plan must allow for. */
export async function longestTexts(
  source: Source,
  folders: readonly string[],
): Promise<Readonly<Record<string, PromptTokenizer>>> {
  const entries = folders.map(async (folder) => [folder, await longestText(source, folder)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** The most tokens that a tokenizer takes, from its config file alone. */
export async function modelMaxLength(source: Source, folder: string): Promise<number> {
  const config = joinPath(folder, 'tokenizer_config.json')
  const { model_max_length: length } = (await source.exists(config)) ? await readJson(source, config) : {}
  return typeof length === 'number' && length > 0 ? length : Number.POSITIVE_INFINITY
}

async function longestText(source: Source, folder: string): Promise<PromptTokenizer> {
  return {
    modelMaxLength: await modelMaxLength(source, folder),
    encode(texts, { maxLength }) {
      if (!Number.isFinite(maxLength)) {
        throw new DitError(
          'not-found',
          `${describePath(source, joinPath(folder, 'tokenizer_config.json'))} is not there or says no model_max_length, which decides how long a text can be`,
          'Fetch the JSON files of the tokenizer as well.',
        )
      }
      return {
        inputIds: new Int32Array(texts.length * maxLength),
        attentionMask: new Int32Array(texts.length * maxLength).fill(1),
        length: maxLength,
        truncated: texts.map(() => null),
      }
    },
  }
}
