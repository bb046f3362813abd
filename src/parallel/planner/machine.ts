/** What the machine can do on which a mesh is planned. */
export interface Machine {
  /** FLOP/s of the fastest device: in linear layers, and in attention. A multiplication and an addition are two. */
  readonly linear: number
  readonly attention: number
  /** Seconds that attention takes for each key, however few queries there are: they go through the keys side by side. */
  readonly perKey: number
  /** Bytes a second that each rank sends while all others do. */
  readonly bandwidth: number
  /** Seconds until a small message is there. */
  readonly latency: number
  /** Bytes that a rank may take on its device. Default: no bound. */
  readonly memory?: number
}

/** What one H100 was measured to do (bench/RESULTS.md): for plans of machines that were not measured. */
export const ASSUMED_MACHINE: Machine = {
  linear: 24e12,
  attention: 6.3e12,
  perKey: 3.5e-6,
  bandwidth: 5e9,
  latency: 200e-6,
}

/** A number of a prediction, and where it comes from. */
export interface Term {
  readonly what: string
  /** Seconds, or bytes. */
  readonly value: number
  /** In words and letters, with the numbers put in. */
  readonly formula: string
}

export const sum = (terms: readonly Term[]): number => terms.reduce((total, { value }) => total + value, 0)

/** A number as formulas show it: 1.2e9, 0.034, 512. */
export const short = (value: number): string =>
  Number.isInteger(value) && value < 1e5 ? String(value) : value.toPrecision(3).replace(/\.?0+(e|$)/, '$1')
