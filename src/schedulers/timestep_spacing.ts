import { roundHalfEven } from './half_rounding.ts'

export type TimestepSpacing = 'linspace' | 'leading' | 'trailing'
export const TIMESTEP_SPACINGS: readonly TimestepSpacing[] = ['linspace', 'leading', 'trailing']

export interface SpacingOptions {
  /** Timesteps that the model was trained on. */
  trainTimesteps: number
  /** One above the greatest timestep to use. */
  last: number
  stepsOffset: number
}

/**
 * `steps` training timesteps, greatest first, spaced as table 2 of Lin et al. 2023 and diffusers' DPM solvers do it.
 * 'trailing' gives fewer when `last` is below `trainTimesteps`; for a few counts (61 of 1000) the quotient rounds up
 * and timestep -1 follows, as it does there.
 */
export function spaceTimesteps(spacing: TimestepSpacing, steps: number, options: SpacingOptions): number[] {
  const { trainTimesteps, last, stepsOffset } = options
  switch (spacing) {
    case 'linspace':
      return linspace(0, last - 1, steps + 1)
        .map(roundHalfEven)
        .reverse()
        .slice(0, -1)
    case 'leading': {
      const ratio = Math.floor(last / (steps + 1))
      return Array.from({ length: steps }, (_, i) => (steps - i) * ratio + stepsOffset)
    }
    case 'trailing': {
      const ratio = trainTimesteps / steps
      const step = last - ratio - last // as numpy.arange: from its first two values
      return Array.from({ length: Math.ceil(last / ratio) }, (_, i) => roundHalfEven(last + i * step) - 1)
    }
  }
}

/**
 * As `spaceTimesteps`, as the other schedulers of diffusers do it: 'linspace' and 'leading' reach the least timestep
 * instead of stopping before it. 'linspace' gives fractions.
 */
export function spaceTimestepsToEnd(
  spacing: TimestepSpacing,
  steps: number,
  { trainTimesteps, stepsOffset }: Omit<SpacingOptions, 'last'>,
): number[] {
  switch (spacing) {
    case 'linspace':
      return linspace(0, trainTimesteps - 1, steps).reverse()
    case 'leading': {
      const ratio = Math.floor(trainTimesteps / steps)
      return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + stepsOffset)
    }
    case 'trailing':
      return spaceTimesteps('trailing', steps, { trainTimesteps, last: trainTimesteps, stepsOffset })
  }
}

/** numpy.linspace in float64. */
export function linspace(start: number, stop: number, count: number): number[] {
  if (count === 1) return [start]
  const step = (stop - start) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * step + start))
}
