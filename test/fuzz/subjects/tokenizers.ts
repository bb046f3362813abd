import { loadTokenizer } from '../../../src/models/tokenizers/load_tokenizer.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { EMOJI, folder, GOLDEN, mutateFile } from '../fixtures.ts'
import { mutateBytes } from '../mutations/bytes.ts'
import type { Subject } from './subject.ts'

const TEXTS = [
  '',
  'a photo of a small cat, sleeping!',
  'Ünïcode ① ｆｕｌｌ \u0000 \u200d 👩‍🚀 <extra_id_0></s>',
  'x '.repeat(40),
]

/** Fewer than the last text's tokens, so that decoding is fuzzed too. */
const LENGTH = 24

/** Folders by the file that they are known by. */
const FOLDERS: Record<string, string> = {
  'tokenizer.json': `${EMOJI}/tokenizer`,
  'spiece.model': `${GOLDEN}/pipeline_pixart_sigma/tokenizer`,
  'vocab.json': `${GOLDEN}/tokenizer_clip`,
  'vocab.txt': `${GOLDEN}/tokenizer_bert`,
}

/** A tokenizer's files with the configs beside them: ids of a few texts. */
export const tokenizers: Subject = {
  name: 'tokenizers',
  variants: Object.keys(FOLDERS),
  files: (variant) => folder(FOLDERS[variant]),
  // Each key of a vocabulary means something: there are no unknown ones to add.
  mutate: (r, path, bytes) => (path === 'vocab.json' ? mutateBytes(r, bytes) : mutateFile(r, path, bytes)),
  async run(files) {
    const tokenizer = await loadTokenizer(memorySource(files), '')
    const encoded = tokenizer.encode(TEXTS, { maxLength: LENGTH, padding: 'max_length' })
    if (encoded.inputIds.length !== TEXTS.length * LENGTH) throw new Error(`${encoded.inputIds.length} ids`)
    if (encoded.inputIds.some((id) => id < 0)) throw new Error(`a token id below 0 in [${encoded.inputIds}]`)
    const limit = tokenizer.modelMaxLength
    return [encoded, Number.isFinite(limit) ? limit : 'no limit']
  },
}
