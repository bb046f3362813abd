/** What a rank did for some time. Times are milliseconds of the machine's clock, so that threads and processes agree. */
export interface Span {
  readonly rank: number
  /** Computing a piece, moving a message, or waiting for one with nothing else to do. */
  readonly kind: 'compute' | 'transfer' | 'wait'
  readonly name: string
  readonly start: number
  readonly end: number
  /** Denoising step, from 0, and the piece of the picture. */
  readonly step?: number
  readonly patch?: number
  /** The other rank of a message, and its bytes. */
  readonly peer?: number
  readonly bytes?: number
}

/** What one rank did when, while somebody wants to know. */
export class Timeline {
  readonly rank: number
  readonly spans: Span[] = []

  constructor(rank: number) {
    this.rank = rank
  }

  now(): number {
    return performance.timeOrigin + performance.now()
  }

  /** Notes what began at `start` and ends now. */
  add(kind: Span['kind'], name: string, start: number, rest: Partial<Span> = {}): void {
    this.spans.push({ rank: this.rank, kind, name, start, end: this.now(), ...rest })
  }
}

/** Runs `body`, noting how long it took where there is a timeline. */
export async function noted<T>(
  timeline: Timeline | undefined,
  kind: Span['kind'],
  name: string,
  body: () => Promise<T>,
  rest: Partial<Span> = {},
): Promise<T> {
  if (!timeline) return body()
  const start = timeline.now()
  const result = await body()
  timeline.add(kind, name, start, rest)
  return result
}
