export interface Size {
  readonly height: number
  readonly width: number
}

/** Sides of pictures are multiples of this in all published models: pixels a latent times latents a token. */
const MULTIPLE = 16

/** The largest size below `asked`, of about its shape, that fits; undefined where none does. What fits is found by halving. */
export async function largestSize(asked: Size, fits: (size: Size) => Promise<boolean>): Promise<Size | undefined> {
  const whole = Math.floor(Math.max(asked.height, asked.width) / MULTIPLE)
  const at = (steps: number): Size => {
    const side = (pixels: number) => Math.max(1, Math.floor((pixels * steps) / whole / MULTIPLE)) * MULTIPLE
    return { height: side(asked.height), width: side(asked.width) }
  }
  let [fitting, tooLarge] = [0, whole]
  while (tooLarge - fitting > 1) {
    // The smallest first: where the weights alone are too many, one question is enough.
    const middle = fitting === 0 && tooLarge === whole ? 1 : Math.floor((fitting + tooLarge) / 2)
    if (await fits(at(middle))) fitting = middle
    else tooLarge = middle
  }
  return fitting === 0 ? undefined : at(fitting)
}
