import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { show } from '../../runtime/show.ts'
import { describePath, joinPath, type Source } from '../../runtime/weights/source.ts'
import { checkTokenizerJson } from './check_tokenizer_json.ts'
import { parseSentencePieceModel } from './sentencepiece_model.ts'
import { convertT5 } from './t5_converter.ts'
import { TextTokenizer } from './text_tokenizer.ts'

export type { EncodedTexts, EncodeOptions, TextTokenizer } from './text_tokenizer.ts'

/** What is asked of a checkpoint's source here. */
export type TokenizerSource = Pick<Source, 'name' | 'exists' | 'size' | 'readInto' | 'readText'>

/** More sentinels than any T5 has. */
const MOST_EXTRA_IDS = 10_000
/** Far above any sentencepiece model (the multilingual T5's has 4.3 MB). */
const MOST_MODEL_BYTES = 64 * 1024 * 1024

/**
 * The tokenizer of a checkpoint's folder `dir` ('' for the source itself): its tokenizer.json, or what transformers
 * would derive from its spiece.model.
 * @throws DitError not-found where it has neither, corrupt for damaged files, unsupported for other kinds
 */
export async function loadTokenizer(source: TokenizerSource, dir: string): Promise<TextTokenizer> {
  const configPath = joinPath(dir, 'tokenizer_config.json')
  const config = await readObject(source, configPath)
  const configWhat = describePath(source, configPath)
  const special = await readObject(source, joinPath(dir, 'special_tokens_map.json'))
  const { path, json } = await readTokenizer(source, dir, readExtraIds(config.extra_ids, configWhat))
  const what = describePath(source, path)
  if ((config.padding_side ?? 'right') !== 'right') {
    throw new DitError('unsupported', `${what} pads on the side ${show(config.padding_side)}; webdit pads on the right`)
  }
  return new TextTokenizer(checkTokenizerJson(json, what), {
    config,
    // T5Tokenizer's own default, for configs that name none.
    padToken: tokenText(config.pad_token) ?? tokenText(special.pad_token) ?? '<pad>',
    modelMaxLength: readMaxLength(config.model_max_length, configWhat),
    what,
  })
}

async function readTokenizer(source: TokenizerSource, dir: string, extraIds: number) {
  const jsonPath = joinPath(dir, 'tokenizer.json')
  if (await source.exists(jsonPath)) {
    return { path: jsonPath, json: parseJson(await source.readText(jsonPath), describePath(source, jsonPath)) }
  }
  const path = joinPath(dir, 'spiece.model')
  const what = describePath(source, path)
  if (!(await source.exists(path))) throw await nothingUsable(source, dir)
  const size = await source.size(path)
  if (size > MOST_MODEL_BYTES) throw new DitError('corrupt', `${what} has ${size} bytes, too many for a tokenizer`)
  const bytes = new Uint8Array(size)
  await source.readInto(path, 0, bytes)
  return { path, json: convertT5(parseSentencePieceModel(bytes, what), extraIds, what) }
}

/** CLIP's and BERT's published folders may have their vocabulary alone; anything else is an incomplete folder. */
async function nothingUsable(source: TokenizerSource, dir: string): Promise<DitError> {
  const hint = 'save_pretrained of a fast tokenizer in transformers writes a tokenizer.json.'
  const where = describePath(source, dir)
  for (const vocabulary of ['vocab.json', 'vocab.txt']) {
    if (!(await source.exists(joinPath(dir, vocabulary)))) continue
    const message = `the tokenizer in ${where} has a ${vocabulary} and no tokenizer.json, which webdit needs`
    return new DitError('unsupported', message, `Put one beside it: ${hint}`)
  }
  const message = `there is no tokenizer.json and no spiece.model in ${where}`
  return new DitError('not-found', message, `The download may be incomplete; ${hint}`)
}

/** A JSON file that holds an object; empty where there is no file. */
async function readObject(source: TokenizerSource, path: string): Promise<Record<string, unknown>> {
  if (!(await source.exists(path))) return {}
  const what = describePath(source, path)
  const value = parseJson(await source.readText(path), what)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new DitError('corrupt', `${what} holds no object`, 'Fetch the file again.')
}

/** A special token is its text, or an object that has it. */
function tokenText(token: unknown): string | undefined {
  const text = typeof token === 'object' ? (token as { content?: unknown } | null)?.content : token
  return typeof text === 'string' ? text : undefined
}

/** `extra_ids`: how many sentinels follow a sentencepiece model's own pieces. */
function readExtraIds(value: unknown, what: string): number {
  const count = value ?? 100 // the default of transformers
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MOST_EXTRA_IDS) return count as number
  throw new DitError('corrupt', `extra_ids in ${what} is ${show(value)}, expected 0 to ${MOST_EXTRA_IDS}`)
}

function readMaxLength(value: unknown, what: string): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY
  if (typeof value === 'number' && value >= 1) return value
  throw new DitError('corrupt', `model_max_length in ${what} is ${show(value)}, expected a positive number`)
}
