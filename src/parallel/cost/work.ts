/** How much of something falls to the tokens of the image, and to those of the text where they go through the blocks too. */
export interface ImageAndText {
  readonly image: number
  readonly text: number
}

/** What blocks of a transformer do, in numbers that add up. */
export interface Work {
  /**
   * Attentions of the image's tokens to each other, and joint ones (MMDiT): of image and text to both. All ranks that share
   * a picture's tokens have the whole text, so that it is computed by each and sent by none but as a result of attention.
   */
  readonly attentions: { readonly image: number; readonly joint: number }
  /** Sums over the tensor-parallel ranks: one for each layer whose inputs are divided. */
  readonly sums: ImageAndText
  /** FLOP in linear layers, for each token. A multiplication and an addition are two. */
  readonly flops: ImageAndText
  /** Of `flops.image`, what tensor-parallel ranks do not divide. Default: 0. */
  readonly undivided?: number
}

/** One block. */
export interface Block extends Work {
  /** The early block whose result enters beside that of the block before (long skips). */
  readonly skipFrom?: number
}

/** What a transformer does with a request, whoever does it. */
export interface NetworkWork {
  /** All blocks, in the order in which they run. */
  readonly blocks: readonly Block[]
  /** Tokens of the text that go through the blocks with the image. Default: 0. */
  readonly textTokens?: number
  /** How often the text alone goes through all blocks (keys of cross-attention). Default: 0. */
  readonly passesOfText?: number
  /** Values that are predicted of a token, with those that the sampler drops (learned variances). */
  readonly outputs: number
  /** Whether a guided step needs the prediction of the branch with the prompt as well (rescaled guidance). */
  readonly alsoPrompted?: boolean
}

/** What blocks do together. */
export function workOf(blocks: readonly Work[]): Required<Work> {
  const sum = (value: (one: Work) => number) => blocks.reduce((total, one) => total + value(one), 0)
  return {
    attentions: { image: sum((one) => one.attentions.image), joint: sum((one) => one.attentions.joint) },
    sums: { image: sum((one) => one.sums.image), text: sum((one) => one.sums.text) },
    flops: { image: sum((one) => one.flops.image), text: sum((one) => one.flops.text) },
    undivided: sum((one) => one.undivided ?? 0),
  }
}

/** Attentions of a pass. */
export const sitesOf = ({ attentions: { image, joint } }: Work): number => image + joint

/** Results of early blocks that cross the border before a block for later ones, beside the one of the last block before it. */
export function skipsAcross(blocks: readonly Block[], border: number): number {
  const wanted = blocks.slice(border).flatMap(({ skipFrom }) => (skipFrom === undefined ? [] : [skipFrom]))
  return new Set(wanted.filter((from) => from < border - 1)).size
}
