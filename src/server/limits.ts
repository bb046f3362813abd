/** What requests are held to. */
export interface Limits {
  /** Pixels of a side. */
  readonly size: number
  readonly steps: number
  /** Pictures of a request. */
  readonly n: number
  /** Bytes of a request's body. */
  readonly body: number
  /** Pictures that may wait. */
  readonly queue: number
  /** Pictures drawn together. */
  readonly batch: number
  /** Seconds until a request must be answered. */
  readonly deadline: number
}

export const DEFAULT_LIMITS: Limits = {
  size: 2048,
  steps: 100,
  n: 10,
  body: 64 * 1024,
  queue: 64,
  batch: 4,
  deadline: 600,
}
