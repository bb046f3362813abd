import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { describePath, joinPath } from '../../runtime/weights/source.ts'
import { checkTokenizerJson } from './check_tokenizer_json.ts'
import { readSpecialTokens, type SpecialTokens } from './special_tokens.ts'
import { TextTokenizer } from './text_tokenizer.ts'
import { readTokenizer, type TokenizerSource } from './tokenizer_files.ts'

export type { EncodedTexts, EncodeOptions, TextTokenizer } from './text_tokenizer.ts'
export type { TokenizerSource } from './tokenizer_files.ts'

/**
 * The tokenizer of a checkpoint's folder `dir` ('' for the source itself): its tokenizer.json, or what transformers
 * would derive from T5's spiece.model, CLIP's vocab.json and merges.txt, or BERT's vocab.txt.
 * @throws DitError not-found where it has none of them, corrupt for damaged files, unsupported for other kinds
 */
export async function loadTokenizer(source: TokenizerSource, dir: string): Promise<TextTokenizer> {
  const configPath = joinPath(dir, 'tokenizer_config.json')
  const config = await readObject(source, configPath)
  const configWhat = describePath(source, configPath)
  for (const side of ['padding_side', 'truncation_side']) {
    if ((config[side] ?? 'right') === 'right') continue
    const message = `${configWhat} has ${side} ${show(config[side])}; webdit pads and cuts on the right`
    throw new DitError('unsupported', message)
  }
  const special = await readObject(source, joinPath(dir, 'special_tokens_map.json'))
  const tokensOf = (defaults: SpecialTokens['named']) => readSpecialTokens(config, special, defaults, configWhat)
  const { path, json, tokens } = await readTokenizer(source, dir, { config, what: configWhat, tokensOf })
  const what = describePath(source, path)
  return new TextTokenizer(checkTokenizerJson(json, what), {
    config,
    padToken: tokens.named.pad_token!,
    modelMaxLength: readMaxLength(config.model_max_length, configWhat),
    what,
  })
}

/** A JSON file that holds an object; empty where there is no file. */
async function readObject(source: TokenizerSource, path: string): Promise<Record<string, unknown>> {
  if (!(await source.exists(path))) return {}
  const what = describePath(source, path)
  const value = parseJson(await source.readText(path), what)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new DitError('corrupt', `${what} holds no object`, 'Fetch the file again.')
}

function readMaxLength(value: unknown, what: string): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY
  if (typeof value === 'number' && value >= 1) return value
  throw new DitError('corrupt', `model_max_length in ${what} is ${show(value)}, expected a positive number`)
}
