import type { CliIo } from '../command.ts'

type Terminal = Pick<CliIo, 'note' | 'status' | 'terminal'>

const BAR_CELLS = 24

/** Where stderr is no terminal: lines after the first. */
const PLAIN_LINES = 4

/** A progress bar with steps a second and the time left; a few plain lines where nobody watches it move. */
export class StepProgress {
  readonly #io: Terminal
  readonly #now: () => number
  #firstStepAt = 0

  /** @param now milliseconds */
  constructor(io: Terminal, now: () => number = () => performance.now()) {
    this.#io = io
    this.#now = now
  }

  /** @param step steps done, from 1 */
  update(step: number, steps: number): void {
    // The first step is timed by no other: what came before it compiled kernels and read the text.
    if (step === 1) this.#firstStepAt = this.#now()
    const perStep = step > 1 ? (this.#now() - this.#firstStepAt) / 1000 / (step - 1) : undefined
    const speed =
      perStep === undefined
        ? ''
        : `, ${rate(perStep)}${step < steps ? `, ${duration(perStep * (steps - step))} left` : ''}`
    const filled = Math.round((BAR_CELLS * step) / steps)
    this.#io.status(`${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)} step ${step} of ${steps}${speed}`)
    const quarter = (n: number) => Math.floor((n * PLAIN_LINES) / steps)
    const worthALine = step === 1 || quarter(step) > quarter(step - 1)
    if (!this.#io.terminal && worthALine) this.#io.note(`step ${step} of ${steps}${speed}`)
  }
}

/** '1.25 it/s', as people know it from other tools; '4.0 s/it' where a step takes longer. */
function rate(seconds: number): string {
  return seconds > 1 ? `${seconds.toFixed(1)} s/it` : `${(1 / seconds).toFixed(2)} it/s`
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 120) return `${whole} s`
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}
