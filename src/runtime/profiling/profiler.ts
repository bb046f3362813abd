import type { Device } from '../device.ts'
import { DitError } from '../errors.ts'
import type { Dispatch } from '../submit.ts'
import { shapeText } from '../tensor.ts'
import type { KernelProfile, PhaseProfile, Profile, ProfileEvent } from './profile.ts'
import { Timestamps } from './timestamps.ts'

/** Bars that a trace keeps, about 20 MB of JSON: FLUX.1 at 50 steps fits. */
const MOST_EVENTS = 150_000

/** A phase that is under way. */
interface OpenPhase {
  readonly name: string
  /** ms of the phases inside it. */
  inner: number
}

/** Sums up under a name. */
interface Sums {
  calls: number
  ms: number
  kernelMs: number
}

/**
 * Times what a device does, from `start` to `stop`: each kernel by timestamp queries, and the phases of the host's work.
 *
 * While it is there, each dispatch has a compute pass of its own, and each flush waits for the device: results are the
 * same to the bit, the whole takes longer. Nothing is measured, and nothing costs, when there is none.
 *
 * ```ts
 * const profiler = Profiler.start(pipe.device)
 * await pipe('red apple')
 * const { kernels } = profiler.stop()
 * ```
 */
export class Profiler {
  readonly #device: Device
  readonly #mostEvents: number
  readonly #timestamps: boolean
  readonly #began = performance.now()
  readonly #kernels = new Map<string, Sums>()
  readonly #phases = new Map<string, Sums>()
  readonly #open: OpenPhase[] = []
  readonly #events: ProfileEvent[] = []
  #dropped = 0
  /** The device's first timestamp, ns; its clock starts anywhere. */
  #origin: bigint | undefined
  /** ms on the device's clock. */
  #lastEnd = 0
  /** What to add to the device's clock, ms: the least by which no submit runs before it was submitted. */
  #offset = Number.NEGATIVE_INFINITY

  /**
   * Starts to measure `device`.
   * @param options.events how many bars the trace may keep; the sums count all
   * @throws DitError 'bad-argument' where the device is being measured already
   */
  static start(device: Device, { events = MOST_EVENTS }: { events?: number } = {}): Profiler {
    if (device.profiler) {
      throw new DitError('bad-argument', `${device.name} is being profiled already`, 'Stop the first profiler before.')
    }
    const profiler = new Profiler(device, events)
    device.profiler = profiler
    return profiler
  }

  private constructor(device: Device, mostEvents: number) {
    this.#device = device
    this.#mostEvents = mostEvents
    this.#timestamps = device.features.has('timestamp-query')
  }

  /** Ends the measuring, and tells what was seen. Await what you started before. */
  stop(): Profile {
    if (this.#device.profiler === this) this.#device.profiler = undefined
    const kernels: KernelProfile[] = [...this.#kernels].map(([name, { calls, ms }]) => ({ name, calls, ms }))
    const phases: PhaseProfile[] = [...this.#phases].map(([name, sums]) => ({ name, ...sums }))
    const kernelMs = kernels.reduce((sum, { ms }) => sum + ms, 0)
    return {
      device: this.#device.name,
      tier: this.#device.tier,
      timestamps: this.#timestamps,
      wallMs: performance.now() - this.#began,
      kernelMs,
      deviceMs: this.#lastEnd,
      idle: this.#lastEnd > 0 ? Math.max(0, 1 - kernelMs / this.#lastEnd) : 0,
      kernels: kernels.sort((a, b) => b.ms - a.ms),
      phases,
      events: this.#events.map((event) =>
        event.track === 'device' ? { ...event, start: event.start + this.#offset } : event,
      ),
      droppedEvents: this.#dropped,
    }
  }

  /** Runs `body` as the phase `name`; phases may lie in one another. */
  async phase<T>(name: string, body: () => Promise<T>): Promise<T> {
    const start = this.#now()
    const outer = this.#open.at(-1)
    const phase: OpenPhase = { name, inner: 0 }
    this.#open.push(phase)
    sumsOf(this.#phases, name)
    try {
      return await body()
    } finally {
      const ms = this.#now() - start
      this.#open.splice(this.#open.indexOf(phase), 1)
      if (outer) outer.inner += ms
      const sums = sumsOf(this.#phases, name)
      sums.calls++
      sums.ms += ms - phase.inner
      this.#keep({ track: 'host', name, start, ms })
    }
  }

  /** Timestamps for a pass of each of `dispatches`; none where the device cannot. */
  timestamps(dispatches: readonly Dispatch[]): Timestamps | undefined {
    return this.#timestamps ? new Timestamps(this.#device, dispatches.length) : undefined
  }

  /** Counts what was just submitted, once it has run. */
  async submitted(dispatches: readonly Dispatch[], timestamps: Timestamps | undefined): Promise<void> {
    const phase = this.#open.at(-1)
    const times = await timestamps?.read()
    dispatches.forEach(({ kernel, outputs }, i) => {
      const sums = sumsOf(this.#kernels, kernel.name)
      sums.calls++
      if (!timestamps || !times) return
      this.#origin ??= times[0]
      const start = Number(times[2 * i] - this.#origin) / 1e6
      // A clock that was reset must not take away from the sum.
      const ms = Math.max(0, Number(times[2 * i + 1] - times[2 * i]) / 1e6)
      if (i === 0) this.#offset = Math.max(this.#offset, timestamps.submittedAt - this.#began - start)
      this.#lastEnd = Math.max(this.#lastEnd, start + ms)
      sums.ms += ms
      if (phase) sumsOf(this.#phases, phase.name).kernelMs += ms
      this.#keep({ track: 'device', name: kernel.name, start, ms, shape: shapeText(outputs[0].shape) })
    })
  }

  #keep(event: ProfileEvent): void {
    if (this.#events.length < this.#mostEvents) this.#events.push(event)
    else this.#dropped++
  }

  /** ms from the start. */
  #now(): number {
    return performance.now() - this.#began
  }
}

function sumsOf(map: Map<string, Sums>, name: string): Sums {
  let sums = map.get(name)
  if (!sums) {
    sums = { calls: 0, ms: 0, kernelMs: 0 }
    map.set(name, sums)
  }
  return sums
}
