import { Normalizer } from '@huggingface/tokenizers'
import { DitError } from '../../runtime/errors.ts'
import { fromBase64 } from './base64.ts'

type NormalizerConfig = ConstructorParameters<typeof Normalizer>[0]

/** The tokenizers library looks up whole graphemes only below this many bytes. */
const LONGEST_GRAPHEME = 6

/**
 * sentencepiece's compiled character map ("Precompiled"): a double-array trie from UTF-8 strings to replacements. It
 * follows the Rust tokenizers library, whose first (shortest) match in a grapheme wins, then those of its characters.
 * The JavaScript library approximates the map by NFKC; checkpoints bring maps of their own.
 */
export class CharsMapNormalizer extends Normalizer {
  private readonly trie: Uint32Array
  private readonly replacements: Uint8Array
  private readonly what: string
  private readonly graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
  private readonly encoder = new TextEncoder()
  private readonly decoder = new TextDecoder()

  /**
   * @param base64 little-endian: the trie's size in bytes (u32), the trie (u32 units), the replacements, each ended by 0
   * @throws DitError corrupt, naming the file as `what`
   */
  constructor(base64: string, what: string) {
    super({ type: 'Precompiled', precompiled_charsmap: null } as unknown as NormalizerConfig)
    this.what = what
    const bytes = this.decode(base64)
    const view = new DataView(bytes.buffer)
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true)
    if (size === 0 || size % 4 !== 0 || size > bytes.length - 4) throw this.corrupt(`its trie has ${size} bytes`)
    this.trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true))
    this.replacements = bytes.subarray(4 + size)
  }

  normalize(text: string): string {
    let normalized = ''
    for (const { segment } of this.graphemes.segment(text)) {
      const bytes = this.encoder.encode(segment)
      const whole = bytes.length < LONGEST_GRAPHEME ? this.lookUp(bytes) : undefined
      if (whole !== undefined) normalized += whole
      else for (const char of segment) normalized += this.lookUp(this.encoder.encode(char)) ?? char
    }
    return normalized
  }

  /** The replacement of the shortest key that `key` begins with. */
  private lookUp(key: Uint8Array): string | undefined {
    let node = offsetOf(this.unit(0))
    for (const byte of key) {
      if (byte === 0) return undefined
      node ^= byte
      const unit = this.unit(node)
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined
      node ^= offsetOf(unit)
      if (unit & 0x100) return this.replacement(this.unit(node) & 0x7fffffff)
    }
    return undefined
  }

  private unit(node: number): number {
    if (node < 0 || node >= this.trie.length) throw this.corrupt('its trie points outside itself')
    return this.trie[node]
  }

  private replacement(start: number): string {
    const end = this.replacements.indexOf(0, start)
    if (end < 0) throw this.corrupt('a replacement has no end')
    return this.decoder.decode(this.replacements.subarray(start, end))
  }

  private decode(base64: string): Uint8Array {
    try {
      return fromBase64(base64)
    } catch (cause) {
      throw this.corrupt('it is not base64', cause)
    }
  }

  private corrupt(why: string, cause?: unknown): DitError {
    const message = `${this.what} is damaged: the normalizer's character map: ${why}`
    return new DitError('corrupt', message, 'Fetch the file again.', { cause })
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}
