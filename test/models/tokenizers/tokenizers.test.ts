import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CharsMapNormalizer } from '../../../src/models/tokenizers/chars_map.ts'
import { loadTokenizer } from '../../../src/models/tokenizers/load_tokenizer.ts'
import { DitError } from '../../../src/runtime/errors.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { GOLDEN, loadGolden, loadGoldenJson, loadSafetensors } from '../../support/golden_io.ts'

const EMOJI = fileURLToPath(new URL('../../../models/emoji-pixart/', import.meta.url))

/** The named files of a folder, as a source that has them under tok/. */
function sourceOf(folder: string, names: readonly string[], replaced: Record<string, Uint8Array | string> = {}) {
  const files = new Map<string, Uint8Array>()
  for (const name of names) files.set(`tok/${name}`, new Uint8Array(readFileSync(join(folder, name))))
  for (const [name, data] of Object.entries(replaced)) {
    files.set(`tok/${name}`, typeof data === 'string' ? new TextEncoder().encode(data) : data)
  }
  return memorySource(files)
}

const T5 = join(GOLDEN, 'tokenizer_t5')
const SIGMA = join(GOLDEN, 'pipeline_pixart_sigma/tokenizer')
const numbers = (data: ArrayLike<number | bigint>) => Array.from(data, Number)

describe.each(['tokenizer.json', 'spiece.model'])('T5 from %s', async (file) => {
  const tokenizer = await loadTokenizer(sourceOf(T5, [file, 'tokenizer_config.json']), 'tok')
  const golden = loadGoldenJson('tokenizer_t5', 'tokens.json')

  it.each<{ text: string; input_ids: number[]; padded_input_ids: number[]; padded_attention_mask: number[] }>(
    golden.cases,
  )('$text', ({ text, input_ids, padded_input_ids, padded_attention_mask }) => {
    const plain = tokenizer.encode([text], { maxLength: tokenizer.modelMaxLength, padding: 'longest' })
    expect(numbers(plain.inputIds)).toEqual(input_ids)
    expect(plain.truncated).toEqual([null])
    const padded = tokenizer.encode([text], { maxLength: golden.pad_to, padding: 'max_length' })
    expect(numbers(padded.inputIds)).toEqual(padded_input_ids)
    expect(numbers(padded.attentionMask)).toEqual(padded_attention_mask)
    expect(padded.truncated[0] !== null).toBe(input_ids.length > golden.pad_to)
  })

  it('tells what it cut', () => {
    expect(tokenizer.modelMaxLength).toBe(512)
    const { truncated, length } = tokenizer.encode(['a cat on the moon', 'a cat'], { maxLength: 4, padding: 'longest' })
    expect(length).toBe(4)
    expect(truncated).toEqual(['the moon', null])
  })
})

describe('PixArt', () => {
  it('Sigma, from spiece.model alone', async () => {
    const names = ['spiece.model', 'tokenizer_config.json', 'special_tokens_map.json']
    const tokenizer = await loadTokenizer(sourceOf(SIGMA, names), 'tok')
    const io = loadGolden('pipeline_pixart_sigma')
    const { args } = loadGoldenJson('pipeline_pixart_sigma').runs.main.call
    const prompts: string[] = args.prompt.value.map((prompt: string) => prompt.toLowerCase().trim())
    const encoded = tokenizer.encode(prompts, { maxLength: 100, padding: 'max_length' })
    expect(numbers(encoded.inputIds)).toEqual(numbers(io['inter.input_ids'].data))
    expect(numbers(encoded.attentionMask)).toEqual(numbers(io['inter.prompt_attention_mask'].data))
    const negative = tokenizer.encode([args.negative_prompt.value], { maxLength: 100, padding: 'max_length' })
    // The pipeline repeats the negative prompt for each of the two prompts.
    const mask = numbers(negative.attentionMask)
    expect([...mask, ...mask]).toEqual(numbers(io['inter.negative_prompt_attention_mask'].data))
  })

  it.each(['red-apple', 'smiling-cat'])('the embedded model: %s', async (name) => {
    const tokenizer = await loadTokenizer(
      sourceOf(join(EMOJI, 'tokenizer'), ['tokenizer.json', 'tokenizer_config.json']),
      'tok',
    )
    const golden = loadSafetensors(join(EMOJI, `golden/${name}.safetensors`))
    const { prompt, negative_prompt } = JSON.parse(readFileSync(join(EMOJI, `golden/${name}.json`), 'utf8'))
    for (const [prefix, text] of [
      ['', prompt],
      ['negative_', negative_prompt],
    ]) {
      const encoded = tokenizer.encode([text.toLowerCase()], {
        maxLength: tokenizer.modelMaxLength,
        padding: 'max_length',
      })
      expect(numbers(encoded.inputIds)).toEqual(numbers(golden[`${prefix}input_ids`].data))
      expect(numbers(encoded.attentionMask)).toEqual(numbers(golden[`${prefix}attention_mask`].data))
    }
  })
})

describe('the character map', () => {
  const json = loadGoldenJson('tokenizer_t5', 'tokenizer.json')
  const normalizer = new CharsMapNormalizer(json.normalizer.precompiled_charsmap, 'tokenizer.json')

  it('is NFKC for Latin letters, ligatures, full-width forms', () => {
    const ranges = [
      [0x20, 0x7e],
      [0xa1, 0xac],
      [0xae, 0x24f],
      [0x1e00, 0x1eff],
      [0x2150, 0x218b],
      [0x2460, 0x24ea],
      [0xfb00, 0xfb06],
      [0xff01, 0xff5d],
    ]
    for (const [first, last] of ranges) {
      for (let code = first; code <= last; code++) {
        const char = String.fromCodePoint(code)
        expect([code.toString(16), normalizer.normalize(char)]).toEqual([code.toString(16), char.normalize('NFKC')])
      }
    }
  })

  it('composes letters, turns white space into spaces, drops controls, leaves the rest', () => {
    expect(normalizer.normalize('e\u0301\t\u3000\n\u0007|宇🙂')).toBe('é   |宇🙂')
  })
})

describe('bad tokenizer folders', () => {
  const config = new Uint8Array(readFileSync(join(T5, 'tokenizer_config.json')))
  const model = new Uint8Array(readFileSync(join(SIGMA, 'spiece.model')))
  const encode = async (files: Record<string, Uint8Array | string>) => {
    const tokenizer = await loadTokenizer(sourceOf('', [], files), 'tok')
    return tokenizer.encode(['a photo of a ｃａｔ, é! </s>'], { maxLength: 20, padding: 'max_length' })
  }
  const failure = async (files: Record<string, Uint8Array | string>) => {
    const error = await encode(files).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(DitError)
    return error as DitError
  }

  it('tells what is missing, damaged or of another kind', async () => {
    expect(await failure({ 'tokenizer_config.json': config })).toMatchObject({ kind: 'not-found' })
    expect(await failure({ 'vocab.json': '{}', 'merges.txt': '' })).toMatchObject({ kind: 'corrupt' })
    expect((await failure({ 'spiece.model': model, 'tokenizer_config.json': '{' })).message).toContain(
      'tokenizer_config',
    )
    const damaged: Record<string, string>[] = [
      { 'tokenizer.json': '[]' },
      { 'tokenizer.json': '{"model": {"type": "Unigram", "vocab": [["a", "x"]], "unk_id": 0}}' },
      { 'tokenizer.json': '{"model": {"type": "Unigram", "vocab": [["a", 1]], "unk_id": 1}}' },
      { 'tokenizer.json': '{"model": {"type": "BPE", "vocab": {"a": -1}}}' },
      {
        'tokenizer.json':
          '{"model": {"type": "BPE", "vocab": {"a": 1}}, "added_tokens": [{"id": 1e12, "content": "b"}]}',
      },
      { 'tokenizer.json': '{"model": {"type": "Elsewhere", "vocab": {"a": 1}}}' },
    ]
    for (const files of damaged) {
      const error = await failure(files)
      expect(error).toMatchObject({ kind: 'corrupt' })
      expect(error.message).toContain('memory/tok/tokenizer.json')
    }
    for (const settings of [
      '{"extra_ids": -1}',
      '{"extra_ids": 1e9}',
      '{"model_max_length": "many"}',
      '{"pad_token": "<none>"}',
      '7',
    ]) {
      const error = await failure({ 'spiece.model': model, 'tokenizer_config.json': settings })
      expect(error).toMatchObject({ kind: 'corrupt' })
    }
    const left = await failure({ 'spiece.model': model, 'tokenizer_config.json': '{"padding_side": "left"}' })
    expect(left).toMatchObject({ kind: 'unsupported' })
  })

  it('refuses models of another kind, and lengths without room', async () => {
    // trainer_spec { model_type: BPE } after the rest: a later value of a field wins.
    const bpe = Uint8Array.from([...model, 0x12, 2, 0x18, 2])
    expect(await failure({ 'spiece.model': bpe })).toMatchObject({ kind: 'unsupported' })
    const tokenizer = await loadTokenizer(sourceOf('', [], { 'spiece.model': model }), 'tok')
    expect(tokenizer.modelMaxLength).toBe(Number.POSITIVE_INFINITY)
    expect(() => tokenizer.encode(['a'], { maxLength: 0, padding: 'longest' })).toThrow('maxLength is 0')
    expect(() => tokenizer.encode(['a'], { maxLength: 1.5, padding: 'longest' })).toThrow(DitError)
    expect(numbers(tokenizer.encode(['a cat'], { maxLength: 1, padding: 'longest' }).inputIds)).toEqual([1])
    expect(tokenizer.encode([], { maxLength: 5, padding: 'longest' })).toMatchObject({ length: 0, truncated: [] })
  })

  it('a model cut anywhere fails, and says which file', async () => {
    for (let end = 0; end < model.length; end += 61) {
      const error = await encode({ 'spiece.model': model.slice(0, end) }).catch((error: unknown) => error)
      // Cut between two pieces it is still a model, of fewer pieces.
      if (!(error instanceof Error)) continue
      expect(error).toBeInstanceOf(DitError)
      expect(error.message).toContain('memory/tok/spiece.model')
    }
    expect(await failure({ 'spiece.model': model.slice(0, 100) })).toMatchObject({ kind: 'corrupt' })
  })

  it.each(['spiece.model', 'tokenizer.json'])(
    '500 random mutations of %s give tokens or a DitError',
    async (name) => {
      const original =
        name === 'spiece.model' ? model : new Uint8Array(readFileSync(join(EMOJI, 'tokenizer', name))).slice(0)
      let seed = 1
      const random = (below: number) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
        return Math.floor((seed / 2 ** 32) * below)
      }
      let failures = 0
      for (let round = 0; round < 500; round++) {
        const bytes = original.slice()
        // Half of the mutations hit the structure at the end (specs and character map) or the start.
        for (let i = 0; i <= random(3); i++) {
          const at = random(2) ? random(bytes.length) : random(Math.min(bytes.length, 1500))
          bytes[random(2) ? at : bytes.length - 1 - at] = random(256)
        }
        const error = await encode({ [name]: bytes }).catch((error: unknown) => error)
        if (!(error instanceof Error)) continue
        failures++
        expect(error).toBeInstanceOf(DitError)
        expect(['corrupt', 'unsupported']).toContain((error as DitError).kind)
      }
      expect(failures).toBeGreaterThan(50)
    },
    60_000,
  )
})
