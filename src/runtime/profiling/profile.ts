/** What ran under one kernel name. */
export interface KernelProfile {
  readonly name: string
  /** Dispatches. */
  readonly calls: number
  /** On the device, all calls together; 0 where the device has no timestamp queries. */
  readonly ms: number
}

/** A part of the host's work: 'load', 'compile', 'text', 'step', 'decode'. */
export interface PhaseProfile {
  readonly name: string
  readonly calls: number
  /** On the host's clock, waiting for the device included, phases inside this one left out. */
  readonly ms: number
  /** What the kernels that ran in it took on the device. */
  readonly kernelMs: number
}

/** A bar of the trace. */
export interface ProfileEvent {
  readonly track: 'host' | 'device'
  readonly name: string
  /** ms from the profile's start. */
  readonly start: number
  readonly ms: number
  /** The shape that a kernel wrote. */
  readonly shape?: string
}

/** What a profiler saw between its start and its stop. */
export interface Profile {
  readonly device: string
  readonly tier: string
  /** Whether the device has timestamp queries; without them `kernels` has calls alone. */
  readonly timestamps: boolean
  /** From start to stop on the host's clock. */
  readonly wallMs: number
  /** The sum over all kernels. */
  readonly kernelMs: number
  /** From the first kernel's start to the last one's end on the device's clock. */
  readonly deviceMs: number
  /** The part of `deviceMs` in which no kernel ran, 0 to 1: host work, launches, and the gaps that measuring makes. */
  readonly idle: number
  /** The slowest first. */
  readonly kernels: readonly KernelProfile[]
  /** In the order in which they came. */
  readonly phases: readonly PhaseProfile[]
  readonly events: readonly ProfileEvent[]
  /** Bars that were left out of `events` to bound the memory; the sums count them. */
  readonly droppedEvents: number
}

const PROCESS = 1
const THREADS = { host: 1, device: 2 } as const

/**
 * The profile in Chrome's trace format, which chrome://tracing, Perfetto and Speedscope open: a row for the host's
 * phases and one for the device's kernels. The sums are under `profile`, which viewers pass over.
 */
export function chromeTrace({ events, ...profile }: Profile): string {
  const named = (name: string, tid: number, args: object) => ({ ph: 'M', name, pid: PROCESS, tid, args })
  const lines = [
    named('process_name', 0, { name: 'webdit' }),
    named('thread_name', THREADS.host, { name: 'host' }),
    named('thread_name', THREADS.device, { name: profile.device }),
    ...events.map(({ track, name, start, ms, shape }) => ({
      ph: 'X',
      name,
      cat: track,
      ts: microseconds(start),
      dur: microseconds(ms),
      pid: PROCESS,
      tid: THREADS[track],
      ...(shape && { args: { shape } }),
    })),
  ]
  const traceEvents = lines.map((line) => JSON.stringify(line)).join(',\n')
  return `{"displayTimeUnit":"ms","profile":${JSON.stringify(profile)},"traceEvents":[\n${traceEvents}\n]}\n`
}

/** To the nanosecond, the unit of timestamp queries. */
const microseconds = (ms: number): number => Math.round(ms * 1e6) / 1e3
