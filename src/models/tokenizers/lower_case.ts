import { Normalizer } from '@huggingface/tokenizers'

/** Lower case letter by letter, as Rust's char has it: JavaScript's toLowerCase turns a word's last Σ into ς. */
export function lowerCase(text: string): string {
  return text.replace(/[^\0-@[-\x7f]+/gu, (letters) => Array.from(letters, (letter) => letter.toLowerCase()).join(''))
}

/** tokenizer.json's Lowercase. */
export class LowerCaseNormalizer extends Normalizer {
  normalize(text: string): string {
    return lowerCase(text)
  }
}
