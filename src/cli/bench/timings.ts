/** One timed call. */
export interface CallTiming {
  /** Seconds from the prompt to pixels (or latents) on the host. */
  readonly call: number
  /** Seconds of each step but the first, which holds the text as well. */
  readonly steps: readonly number[]
}

/** Marks the steps of a call as they end, and tells their times. */
export class CallClock {
  readonly #now: () => number
  readonly #began: number
  readonly #marks: number[] = []

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  step(): void {
    this.#marks.push(this.#now())
  }

  done(): CallTiming {
    const marks = this.#marks
    return {
      call: (this.#now() - this.#began) / 1000,
      steps: marks.slice(1).map((mark, i) => (mark - marks[i]) / 1000),
    }
  }
}

/** Lines with mean, median, least and most of seconds a picture and a step. @param pictures of one call */
export function summary(timings: readonly CallTiming[], pictures: number): string[] {
  const rows: [name: string, values: number[]][] = [
    ['s/picture', timings.map(({ call }) => call / pictures)],
    ['s/step', timings.flatMap(({ steps }) => steps)],
  ]
  const line = (name: string, cells: string[]) => name.padEnd(9) + cells.map((cell) => cell.padStart(10)).join('')
  return [
    line('', ['mean', 'median', 'min', 'max']),
    ...rows
      .filter(([, values]) => values.length > 0)
      .map(([name, values]) =>
        line(
          name,
          statistics(values).map((value) => value.toFixed(4)),
        ),
      ),
  ]
}

function statistics(values: readonly number[]): [mean: number, median: number, min: number, max: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return [mean, median(values), Math.min(...values), Math.max(...values)]
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
