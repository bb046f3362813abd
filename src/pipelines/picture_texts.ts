import { DitError } from '../runtime/errors.ts'
import { checkInteger, type PipelineOptions, perPrompt } from './options.ts'

/** A text as a pipeline's encoders are given it: one for each of them, the same unless others were asked for. */
export interface Text {
  readonly negative: boolean
  readonly of: readonly [string, string, string]
}

/** What is said about each picture. */
export interface PictureTexts {
  readonly prompt: Text
  /** What to stay away from. */
  readonly negative: Text
}

type TextOptions = Pick<
  PipelineOptions,
  'prompt2' | 'prompt3' | 'negativePrompt' | 'negativePrompt2' | 'negativePrompt3' | 'numImagesPerPrompt'
>

/** What is said about each picture, in their order. @throws DitError 'bad-argument' */
export function textsOf(prompt: string | string[], options: TextOptions): PictureTexts[] {
  const prompts = typeof prompt === 'string' ? [prompt] : prompt
  if (!Array.isArray(prompts) || prompts.length === 0 || prompts.some((p) => typeof p !== 'string')) {
    throw new DitError('bad-argument', 'a prompt is needed: a text, or a list of texts')
  }
  const each = (name: 'prompt2' | 'prompt3' | 'negativePrompt2' | 'negativePrompt3') => {
    const given = options[name]
    return given === undefined || given.length === 0 ? undefined : perPrompt(name, given, prompts.length)
  }
  const negatives = perPrompt('negativePrompt', options.negativePrompt, prompts.length)
  const [second, third] = [each('prompt2'), each('prompt3')]
  const [negativeSecond, negativeThird] = [each('negativePrompt2'), each('negativePrompt3')]
  const images = checkInteger('numImagesPerPrompt', options.numImagesPerPrompt ?? 1, 1, 1024)
  return prompts.flatMap((text, k) =>
    Array<PictureTexts>(images).fill({
      prompt: { negative: false, of: [text, second?.[k] || text, third?.[k] || text] },
      negative: {
        negative: true,
        of: [negatives[k], negativeSecond?.[k] || negatives[k], negativeThird?.[k] || negatives[k]],
      },
    }),
  )
}

/** Every different text once, and which of them each batch entry has: the branch without the prompt first. */
export interface BatchTexts {
  readonly texts: readonly Text[]
  readonly rows: Uint32Array
}

/**
 * @param branches [first, end) of 0, the branch without the prompt, and 1, the one with it. The texts of both are there
 *   whichever are asked for where `guided`, so that all ranks of a crew read the same.
 */
export function batchTexts(
  pictures: readonly PictureTexts[],
  { guided, branches }: { guided: boolean; branches: { first: number; end: number } },
): BatchTexts {
  const texts: Text[] = []
  const places = new Map<string, number>()
  const row = (text: Text): number => {
    const key = JSON.stringify(text)
    const known = places.get(key)
    if (known !== undefined) return known
    places.set(key, texts.length)
    return texts.push(text) - 1
  }
  const negatives = guided ? pictures.map(({ negative }) => row(negative)) : []
  const prompts = pictures.map(({ prompt }) => row(prompt))
  return { texts, rows: Uint32Array.from([negatives, prompts].slice(branches.first, branches.end).flat()) }
}
