/** ‖a − b‖ / ‖b‖ of some values. */
export class SampledError {
  #difference = 0
  #size = 0

  add(actual: number, expected: number): void {
    this.#difference += (actual - expected) ** 2
    this.#size += expected ** 2
  }

  get value(): number {
    return Math.sqrt(this.#difference / this.#size)
  }
}

/** `count` whole numbers below `size`, spread over all of it, the first and the last among them. */
export const spread = (size: number, count: number): number[] => {
  const many = Math.min(size, count)
  return Array.from({ length: many }, (_, i) => Math.floor((i * (size - 1)) / Math.max(1, many - 1)))
}
