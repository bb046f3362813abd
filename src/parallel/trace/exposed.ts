import type { Span } from './timeline.ts'

type Interval = readonly [start: number, end: number]

/** Time that a rank spends in transfers while it waits, in ms: what overlapping them with computing did not hide. */
export function exposedTransfer(spans: readonly Span[], rank: number): number {
  const of = (kind: Span['kind']) =>
    union(spans.filter((span) => span.rank === rank && span.kind === kind).map(({ start, end }) => [start, end]))
  return overlap(of('wait'), of('transfer'))
}

/** Intervals that overlap, joined. */
export function union(intervals: readonly Interval[]): Interval[] {
  const joined: [number, number][] = []
  for (const [start, end] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last && start <= last[1]) last[1] = Math.max(last[1], end)
    else joined.push([start, end])
  }
  return joined
}

function overlap(a: readonly Interval[], b: readonly Interval[]): number {
  let total = 0
  for (const [start, end] of a) {
    for (const [from, to] of b) total += Math.max(0, Math.min(end, to) - Math.max(start, from))
  }
  return total
}
