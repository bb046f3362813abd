import type { Grid } from '../crew/pieces.ts'
import type { Ranks } from '../crew/ranks.ts'
import type { Decoder } from './vae.ts'

/** A text as its encoder gives it. */
export interface EncodedText {
  readonly text: string
  /** Without padding. */
  readonly tokens: number
}

/** What is said about one picture. */
export interface PictureText {
  readonly prompt: EncodedText
  /** Where the request is guided. */
  readonly negative?: EncodedText
}

/** A request that ranks divide, in numbers. */
export interface Workload {
  /** Of the transformer. */
  readonly blocks: number
  readonly heads: number
  readonly headDim: number
  /** Sums over the tensor-parallel ranks in a block: one for each layer whose inputs are divided. */
  readonly sums: number
  /** Values that are predicted of a token, with those that the sampler drops (learned variances). */
  readonly outputs: number
  /** Tokens of a picture. */
  readonly grid: Grid
  /** Of all crews. */
  readonly pictures: number
  /** Whether there is a branch without the prompt. */
  readonly guided: boolean
  /** Denoising steps. */
  readonly steps: number
  /** Channels, and the rows and columns of latents that a token stands for. */
  readonly latents: { readonly channels: number; readonly patch: number }
  /** Texts of all pictures and the width of their hidden states; none where ranks have them already. */
  readonly text?: {
    readonly width: number
    readonly pictures: readonly PictureText[]
    /** Bytes of the encoder's blocks, where ranks keep a share of each. */
    readonly blocks?: readonly number[]
  }
  /** Bytes of all blocks of the transformer, cut for a tensor-parallel rank, where others keep a share of each. */
  readonly weights?: {
    readonly blocks: (ranks: Ranks) => readonly number[]
    /** How often the text alone goes through all blocks (keys of cross-attention). */
    readonly passesOfText: number
  }
  /** Of the autoencoder; none where latents are asked for. */
  readonly decoder?: Decoder
  /** FLOP in a block, for predicting time: of each token, and of each pair of a token and a key. */
  readonly compute?: { readonly perToken: number; readonly perPair: number }
  /** Bytes of a value: 4 and 4 in tier f32, 4 and 2 in tier f16. */
  readonly elementBytes: { readonly stream: number; readonly operand: number }
}

/** Bytes by the fabric's tag. */
export type Bytes = Readonly<Record<string, number>>

/** Bytes of a tensor of so many values: whole words of four, as `Tensor.bytes`. */
export const bytesOf = (values: number, elementBytes: number): number => Math.ceil((values * elementBytes) / 4) * 4

export const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
