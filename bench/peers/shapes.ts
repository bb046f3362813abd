/** A block of a diffusion transformer. */
export interface Shapes {
  readonly tokens: number
  readonly width: number
  readonly heads: number
}

/** Seconds of linear [tokens, width] → 4 · width, of self-attention and of a block; undefined where one cannot. */
export interface Times {
  readonly linear?: number
  readonly attention?: number
  readonly block?: number
}

/** Floating-point operations of each. */
export const flopOf = ({ tokens, width }: Shapes): Required<Times> => {
  const [linear, attention] = [8 * tokens * width * width, 4 * tokens * tokens * width]
  return { linear, attention, block: 3 * linear + attention }
}
