import type { Grid } from '../crew/pieces.ts'
import type { Ranks } from '../crew/ranks.ts'
import type { Decoder } from './vae.ts'
import type { NetworkWork } from './work.ts'

/** A text as its encoder gives it. */
export interface EncodedText {
  readonly text: string
  /** Without padding. */
  readonly tokens: number
}

/** What an encoder gives for a text: so many rows of so many values. Without `tokens`, as many as the longest text has. */
export interface TextStates {
  readonly width: number
  readonly tokens?: number
}

/** What is said about one picture. */
export interface PictureText {
  readonly prompt: EncodedText
  /** Where the request is guided. */
  readonly negative?: EncodedText
}

/** A request that ranks divide, in numbers. */
export interface Workload extends NetworkWork {
  /** Of the transformer. */
  readonly heads: number
  readonly headDim: number
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
  /** Texts of all pictures and what encoders make of each; none where ranks have them already. */
  readonly text?: {
    readonly states: readonly TextStates[]
    readonly pictures: readonly PictureText[]
    /** Bytes of the encoder's blocks, where ranks keep a share of each. */
    readonly blocks?: readonly number[]
  }
  /** Bytes of all blocks of the transformer, cut for a tensor-parallel rank, where others keep a share of each. */
  readonly weights?: (ranks: Ranks) => readonly number[]
  /** Of the autoencoder; none where latents are asked for. */
  readonly decoder?: Decoder
  /** Bytes of a value: 4 and 4 in tier f32, 4 and 2 in tier f16. */
  readonly elementBytes: { readonly stream: number; readonly operand: number }
}

/** Bytes by the fabric's tag. */
export type Bytes = Readonly<Record<string, number>>

/** Bytes of a tensor of so many values: whole words of four, as `Tensor.bytes`. */
export const bytesOf = (values: number, elementBytes: number): number => Math.ceil((values * elementBytes) / 4) * 4

export const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
