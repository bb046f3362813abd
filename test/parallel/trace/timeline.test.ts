import { describe, expect, it } from 'vitest'
import { timelineTrace } from '../../../src/parallel/trace/chrome_trace.ts'
import { exposedTransfer } from '../../../src/parallel/trace/exposed.ts'
import { timelineSvg } from '../../../src/parallel/trace/svg.ts'
import type { Span } from '../../../src/parallel/trace/timeline.ts'

const BEGIN = 1_795_711_837_000
const span = (rank: number, kind: Span['kind'], start: number, end: number, rest: Partial<Span> = {}): Span => ({
  rank,
  kind,
  name: rest.patch === undefined ? 'whole picture' : `patch ${rest.patch}`,
  start: BEGIN + start,
  end: BEGIN + end,
  ...rest,
})
/** Two stages: a picture, then two patches; the second stage waits for the first. */
const SPANS: Span[] = [
  span(1, 'wait', 0, 110, { name: 'stage.activations' }),
  span(0, 'compute', 0, 100, { step: 0 }),
  span(0, 'transfer', 100, 108, { name: 'stage.activations to 1', peer: 1, bytes: 4096 }),
  span(1, 'compute', 110, 200, { step: 0 }),
  span(0, 'compute', 200, 240, { step: 1, patch: 0 }),
  span(0, 'compute', 240, 280, { step: 1, patch: 1 }),
  span(1, 'compute', 250, 290, { step: 1, patch: 0 }),
  span(1, 'compute', 290, 330, { step: 1, patch: 1 }),
]

interface TraceEvent {
  readonly ph: string
  readonly name: string
  readonly pid: number
  readonly tid?: number
  readonly ts?: number
  readonly dur?: number
  readonly args: Record<string, unknown>
}

describe('the trace', () => {
  const { traceEvents } = JSON.parse(JSON.stringify(timelineTrace(SPANS))) as { traceEvents: TraceEvent[] }
  const complete = traceEvents.filter(({ ph }) => ph === 'X')

  it('has a process for each rank, and a lane for each kind of work', () => {
    const named = traceEvents.filter(({ ph }) => ph === 'M')
    expect(named.filter(({ name }) => name === 'process_name').map(({ pid, args }) => [pid, args.name])).toEqual([
      [0, 'rank 0'],
      [1, 'rank 1'],
    ])
    const lanes = named.filter(({ name, pid }) => name === 'thread_name' && pid === 1)
    expect(lanes.map(({ tid, args }) => [tid, args.name])).toEqual([
      [0, 'compute'],
      [1, 'transfer'],
      [2, 'wait'],
    ])
  })

  it('has each span once, in microseconds from the first', () => {
    expect(complete).toHaveLength(SPANS.length)
    for (const [i, { pid, tid, ts, dur, args }] of complete.entries()) {
      const { rank, kind, start, end, step, patch } = SPANS[i]
      expect([pid, tid]).toEqual([rank, ['compute', 'transfer', 'wait'].indexOf(kind)])
      expect([ts, dur]).toEqual([(start - BEGIN) * 1000, (end - start) * 1000])
      expect([args.step, args.patch]).toEqual([step, patch])
    }
  })
})

it('transfers are exposed where their rank waits meanwhile', () => {
  const waiting = [...SPANS, span(1, 'transfer', 102, 109, { name: 'stage.activations from 0' })]
  expect(exposedTransfer(waiting, 1)).toBe(7)
  expect(exposedTransfer(waiting, 0)).toBe(0)
})

describe('the picture of it', () => {
  const svg = timelineSvg(SPANS)
  const boxes = [
    ...svg.matchAll(/<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"[^>]*fill="([^"]+)"><title>([^<]*)<\/title>/g),
  ]

  it('is well-formed', () => {
    const open: string[] = []
    for (const [, closing, name, alone] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (alone) continue
      if (closing) expect(open.pop()).toBe(name)
      else open.push(name)
    }
    expect(open).toEqual([])
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('shows who computed which patch when, and who waited', () => {
    const shown = SPANS.filter(({ kind }) => kind !== 'transfer')
    expect(boxes).toHaveLength(shown.length)
    const width = 1200 - 80 - 10
    for (const [i, [, x, , wide, fill, title]] of boxes.entries()) {
      const { rank, start, end, kind, name } = shown[i]
      expect(Number(x)).toBeCloseTo(80 + ((start - BEGIN) / 330) * width, 0)
      expect(Number(wide)).toBeCloseTo(((end - start) / 330) * width, 0)
      expect(title).toContain(`rank ${rank}: ${name}`)
      expect(fill === 'url(#waiting)').toBe(kind === 'wait')
    }
    const colours = (patch: number | undefined) =>
      new Set(
        boxes.flatMap(([, , , , fill], i) => (shown[i].kind === 'compute' && shown[i].patch === patch ? [fill] : [])),
      )
    for (const patch of [undefined, 0, 1]) expect(colours(patch).size).toBe(1)
    expect(new Set([undefined, 0, 1].flatMap((patch) => [...colours(patch)])).size).toBe(3)
    // A row a rank.
    expect(new Set(boxes.map(([, , y]) => y)).size).toBe(2)
  })
})
