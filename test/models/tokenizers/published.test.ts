import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BERT_TOKENS, convertBert } from '../../../src/models/tokenizers/bert_converter.ts'
import { CLIP_TOKENS, convertClip } from '../../../src/models/tokenizers/clip_converter.ts'
import { loadTokenizer } from '../../../src/models/tokenizers/load_tokenizer.ts'
import { readSpecialTokens } from '../../../src/models/tokenizers/special_tokens.ts'
import { DitError } from '../../../src/runtime/errors.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { GOLDEN, goldenFolder } from '../../support/golden_io.ts'

interface Variant {
  case: string
  config: Record<string, unknown> | null
  tokenizer_json: { model: Record<string, unknown> }
  pad_token_id: number
  ids: number[][]
  padded_24: number[][]
}

const { texts, variants }: { texts: string[]; variants: Record<string, Variant> } = JSON.parse(
  readFileSync(new URL('../../fixtures/tokenizers/ids.json', import.meta.url), 'utf8'),
)

const FILES = ['vocab.json', 'merges.txt', 'vocab.txt', 'tokenizer_config.json', 'special_tokens_map.json']

/** A case's files as text, or its vocabulary with another config. */
function filesOf(name: string, config: Variant['config'] = null): Record<string, string> {
  const files: Record<string, string> = {}
  for (const file of FILES) {
    const path = join(goldenFolder(name) ?? GOLDEN, file)
    const other = config && (file === 'tokenizer_config.json' || file === 'special_tokens_map.json')
    const text = other ? undefined : readIfThere(path)
    if (text !== undefined) files[file] = text
  }
  return config ? { ...files, 'tokenizer_config.json': JSON.stringify(config) } : files
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const load = (files: Record<string, string>) =>
  loadTokenizer(memorySource(new Map(Object.entries(files).map(([name, text]) => [name, encode(text)]))), '')
const encode = (text: string) => new TextEncoder().encode(text)

describe.each(['tokenizer_clip', 'tokenizer_clip_pad0', 'tokenizer_bert'])('%s', (name) => {
  it.skipIf(!goldenFolder(name))('gives the ids of transformers', async () => {
    const tokenizer = await load(filesOf(name))
    const golden = JSON.parse(readFileSync(join(goldenFolder(name)!, 'tokens.json'), 'utf8'))
    for (const { text, input_ids, padded_input_ids, padded_attention_mask } of golden.cases) {
      const plain = tokenizer.encode([text], { maxLength: Number.MAX_SAFE_INTEGER, padding: 'longest' })
      expect([text, ...plain.inputIds]).toEqual([text, ...input_ids])
      const padded = tokenizer.encode([text], { maxLength: golden.pad_to, padding: 'max_length' })
      expect([text, ...padded.inputIds]).toEqual([text, ...padded_input_ids])
      expect([text, ...padded.attentionMask]).toEqual([text, ...padded_attention_mask])
    }
    expect(golden.cases.length).toBeGreaterThan(10)
  })
})

describe.each(Object.entries(variants))('odd texts: %s', async (_, variant) => {
  const files = filesOf(variant.case, variant.config)
  const tokenizer = await load(files)

  it.each(texts.map((text, i) => [text, i] as const))('%j', (text, i) => {
    const { inputIds } = tokenizer.encode([text], { maxLength: Number.MAX_SAFE_INTEGER, padding: 'longest' })
    expect(Array.from(inputIds)).toEqual(variant.ids[i])
  })

  it('cuts before the last special token, and pads', () => {
    const last = texts.slice(-variant.padded_24.length)
    const { inputIds, truncated } = tokenizer.encode(last, { maxLength: 24, padding: 'max_length' })
    expect(Array.from(inputIds)).toEqual(variant.padded_24.flat())
    expect(truncated.map((cut) => cut !== null)).toEqual(
      last.map((_, i) => variant.ids[texts.length - last.length + i].length > 24),
    )
    expect(inputIds).toContain(variant.pad_token_id)
  })

  it('is the tokenizer.json that transformers derives, and works from it', async () => {
    const config = JSON.parse(files['tokenizer_config.json'])
    const map = JSON.parse(files['special_tokens_map.json'] ?? '{}')
    const file = (name: string) => ({ text: files[name], what: name })
    const special = (defaults: Record<string, string>) => readSpecialTokens(config, map, defaults, 'config')
    const derived = files['vocab.txt']
      ? convertBert(file('vocab.txt'), config, 'config', special(BERT_TOKENS))
      : convertClip(file('vocab.json'), file('merges.txt'), special(CLIP_TOKENS))
    const { model, ...rest } = derived as Variant['tokenizer_json']
    const { vocab, merges, ...options } = model
    const { model: expected, ...expectedRest } = variant.tokenizer_json
    expect({ truncation: null, padding: null, ...rest }).toEqual(expectedRest)
    expect({ dropout: null, ignore_merges: false, ...options }).toMatchObject(expected)

    const saved = {
      ...files,
      'tokenizer.json': JSON.stringify({ ...variant.tokenizer_json, model: { ...expected, vocab, merges } }),
    }
    const again = await load(saved)
    expect(again.encode(texts, { maxLength: 40, padding: 'max_length' })).toEqual(
      tokenizer.encode(texts, { maxLength: 40, padding: 'max_length' }),
    )
  })
})

it('special_tokens_map.json counts beside configs without added_tokens_decoder alone', async () => {
  const files = filesOf('tokenizer_clip')
  const listed = JSON.parse(files['tokenizer_config.json'])
  const { added_tokens_decoder: _, ...unlisted } = listed
  const map = JSON.stringify({ pad_token: '!' })
  const padding = async (config: object) => {
    const tokenizer = await load({
      ...files,
      'tokenizer_config.json': JSON.stringify(config),
      'special_tokens_map.json': map,
    })
    return tokenizer.encode([''], { maxLength: 3, padding: 'max_length' }).inputIds[2]
  }
  expect(await padding(listed)).toBe(619)
  expect(await padding(unlisted)).toBe(0)
})

describe('damaged folders', () => {
  const clip = filesOf('tokenizer_clip')
  const bert = filesOf('tokenizer_bert')
  const failure = async (files: Record<string, string>) => {
    const error = await load(files).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(DitError)
    return error as DitError
  }

  it.each<[string, Record<string, string>, string]>([
    ['no merges', { 'merges.txt': '' }, ''],
    [
      'merges of one token',
      { 'merges.txt': '#version: 0.2\nin' },
      'merges.txt is damaged: line 2 is "in", expected two tokens',
    ],
    ['merges of unknown tokens', { 'merges.txt': 'i zz' }, 'vocab.json has no "zz"'],
    ['merges that make no token', { 'merges.txt': '#version: 0.2\nq q' }, 'vocab.json has no "qq"'],
    ['a vocabulary that is no JSON', { 'vocab.json': clip['vocab.json'].slice(0, 100) }, 'vocab.json'],
    ['a vocabulary that is a list', { 'vocab.json': '["a"]' }, 'does not map tokens to ids'],
    ['an id that is a text', { 'vocab.json': '{"a": "b"}' }, 'gives "a" the id "b"'],
    [
      'no special tokens',
      { 'vocab.json': '{"a": 1}', 'merges.txt': '', 'tokenizer_config.json': '{}', 'special_tokens_map.json': '{}' },
      '"<|startoftext|>" is not in the vocabulary',
    ],
    [
      'tokens that are a number',
      { 'tokenizer_config.json': '{"added_tokens_decoder": 7}' },
      'added_tokens_decoder is 7',
    ],
    [
      'a token without content',
      { 'tokenizer_config.json': '{"added_tokens_decoder": {"5": {}}}' },
      'a special token is',
    ],
    [
      'a token with a name for an id',
      { 'tokenizer_config.json': '{"added_tokens_decoder": {"x": {"content": "a"}}}' },
      'has the id "x"',
    ],
    [
      'padding that is a list',
      { 'tokenizer_config.json': '{"pad_token": []}', 'special_tokens_map.json': '{}' },
      'a special token is []',
    ],
  ])('CLIP: %s', async (name, files, message) => {
    if (name === 'no merges') {
      // A tokenizer of single bytes: odd, and none of our business.
      expect((await load({ ...clip, ...files })).encode(['in'], { maxLength: 9, padding: 'longest' }).length).toBe(4)
      return
    }
    const error = await failure({ ...clip, ...files })
    expect(error.kind).toBe('corrupt')
    expect(error.message).toContain(message)
  })

  it.each<[string, Record<string, string>, string]>([
    ['an empty vocabulary', { 'vocab.txt': '' }, 'is not in the vocabulary'],
    ['another vocabulary', { 'vocab.txt': 'a\nb\n[UNK]\n' }, 'is not in the vocabulary'],
    ['an option that is a text', { 'tokenizer_config.json': '{"do_lower_case": "yes"}' }, 'do_lower_case is "yes"'],
  ])('BERT: %s', async (_, files, message) => {
    const error = await failure({
      ...bert,
      ...files,
      ...(files['vocab.txt'] === undefined ? {} : { 'tokenizer_config.json': '{}' }),
    })
    expect(error.kind).toBe('corrupt')
    expect(error.message).toContain(message)
  })

  it('tells what is missing, and what it cannot do', async () => {
    expect(await failure({ 'vocab.json': clip['vocab.json'] })).toMatchObject({ kind: 'not-found' })
    expect(await failure({ ...clip, 'tokenizer_config.json': '{"truncation_side": "left"}' })).toMatchObject({
      kind: 'unsupported',
    })
  })

  it('random damage gives ids or a DitError', async () => {
    let seed = 3
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    let failures = 0
    for (let round = 0; round < 300; round++) {
      const files = { ...(round % 2 ? clip : bert) }
      const name = Object.keys(files)[random(Object.keys(files).length)]
      const bytes = encode(files[name])
      for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(128)
      files[name] = new TextDecoder().decode(bytes)
      try {
        const { inputIds } = (await load(files)).encode(texts.slice(0, 12), { maxLength: 30, padding: 'max_length' })
        expect(Array.from(inputIds).every(Number.isInteger)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(DitError)
        failures++
      }
    }
    expect(failures).toBeGreaterThan(30)
  })
})
