/** How much the newest batch counts, against all before it. */
const NEWEST = 0.3

/** The longest wait that is named, in s: nobody plans further ahead. */
const LONGEST = 600

/** How long drawing takes, as of late: what there is to tell those who wait, or had better not. */
export class Pace {
  #perPicture: number | undefined

  /** @param seconds that `pictures` took on one device or mesh */
  note(seconds: number, pictures: number): void {
    const one = seconds / pictures
    this.#perPicture = this.#perPicture === undefined ? one : NEWEST * one + (1 - NEWEST) * this.#perPicture
  }

  /** Seconds until so many pictures are drawn; 0 where nothing was drawn yet. */
  seconds(pictures: number, drawers: number): number {
    return ((this.#perPicture ?? 0) * pictures) / Math.max(1, drawers)
  }

  /** Whole seconds after which there will be room again: when half of them are drawn. */
  retryAfter(pictures: number, drawers: number): number {
    return Math.min(LONGEST, Math.max(1, Math.ceil(this.seconds(pictures, drawers) / 2)))
  }
}
