import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AddedTokens, byNormalization } from '../../../src/models/tokenizers/added_tokens.ts'
import { loadTokenizer } from '../../../src/models/tokenizers/load_tokenizer.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { GOLDEN } from '../../support/golden_io.ts'

const token = (id: number, content: string, flags = {}) => ({ id, content, ...flags })

describe('added tokens', () => {
  it('are cut out from the left, the longest first', () => {
    const tokens = new AddedTokens([token(1, 'ab'), token(2, 'abc'), token(3, '.*'), token(4, 'c')])
    expect(tokens.split('xababcab.*yc')).toEqual(['x', 1, 2, 1, 3, 'y', 4])
    expect(tokens.split('')).toEqual([])
    expect(tokens.split('none')).toEqual(['none'])
  })

  it('none leave texts as they are', () => {
    expect(new AddedTokens([]).split('a')).toEqual(['a'])
    expect(new AddedTokens([]).split('')).toEqual([])
  })

  it('take the white space that they say, and stand alone where they must', () => {
    const tokens = new AddedTokens([
      token(1, '<l>', { lstrip: true }),
      token(2, '<r>', { rstrip: true }),
      token(3, 'cat', { single_word: true }),
    ])
    expect(tokens.split('a \n<l> b')).toEqual(['a', 1, ' b'])
    expect(tokens.split('a <r> \u3000b')).toEqual(['a ', 2, 'b'])
    expect(tokens.split('<r> <l>')).toEqual([2, 1])
    expect(tokens.split('cat cats écat cat! _cat')).toEqual([3, ' cats écat ', 3, '! _cat'])
  })

  it('are looked for in normalized texts where they say so, or are not special', () => {
    const [a, b, c, d] = [
      token(1, 'a', { special: true }),
      token(2, 'B'),
      token(3, 'C', { normalized: true }),
      token(4, ''),
    ]
    expect(byNormalization([a, b, c, d])).toEqual({ plain: [a], normalized: [b, c, d] })
    expect(new AddedTokens([b, c, d], (content) => content.toLowerCase()).split('abCc')).toEqual(['a', 2, 'C', 3])
  })
})

/** Ids of transformers 5.18. */
it.each([
  ['tokenizer_clip', '<|EndOfText|>', [618, 27, 347, 68, 77, 67, 78, 69, 83, 68, 87, 339, 91, 285, 619]],
  ['tokenizer_clip', '<|StartOfText|>', [618, 618, 619]],
  ['tokenizer_t5', ' \x85', [1]],
  ['tokenizer_bert', '\0', [6, 7]],
  ['tokenizer_bert', '[cls]', [6, 5, 27, 86, 93, 5, 7]],
] as const)('%s of %j', async (folder, text, ids) => {
  const names = ['vocab.json', 'merges.txt', 'vocab.txt', 'spiece.model', 'tokenizer_config.json']
  const there = names.flatMap((name) => {
    try {
      return [[name, new Uint8Array(readFileSync(join(GOLDEN, folder, name)))] as const]
    } catch {
      return []
    }
  })
  const tokenizer = await loadTokenizer(memorySource(new Map(there)), '')
  expect(Array.from(tokenizer.encode([text], { maxLength: 77, padding: 'longest' }).inputIds)).toEqual(ids)
})
