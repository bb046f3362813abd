import type { Span } from './timeline.ts'

const LANES: readonly Span['kind'][] = ['compute', 'transfer', 'wait']

/** A trace for Perfetto or chrome://tracing: a process a rank, with a lane for each kind of span. */
export function timelineTrace(spans: readonly Span[]): object {
  const begin = Math.min(...spans.map(({ start }) => start))
  const ranks = [...new Set(spans.map(({ rank }) => rank))].sort((a, b) => a - b)
  const names = ranks.flatMap((rank) => [
    { ph: 'M', name: 'process_name', pid: rank, args: { name: `rank ${rank}` } },
    ...LANES.map((kind, lane) => ({ ph: 'M', name: 'thread_name', pid: rank, tid: lane, args: { name: kind } })),
  ])
  const events = spans.map(({ rank, kind, name, start, end, ...args }) => ({
    ph: 'X',
    name,
    cat: kind,
    pid: rank,
    tid: LANES.indexOf(kind),
    ts: (start - begin) * 1000, // microseconds
    dur: (end - start) * 1000,
    args,
  }))
  return { displayTimeUnit: 'ms', traceEvents: [...names, ...events] }
}
