import type { Span } from './timeline.ts'

/** Pixels. */
const SIZE = { width: 1200, label: 80, row: 34, gap: 8, top: 46, bottom: 30 }

/** Colours of patches, which repeat; the whole picture has a grey of its own. */
const COLOURS = ['#4c78a8', '#f58518', '#54a24b', '#e45756', '#72b7b2', '#b279a2', '#eeca3b', '#9d755d']
const WHOLE = '#8a8a8a'

/** Who computed which patch when: a row a rank, time from left to right; hatched while a rank waits. */
export function timelineSvg(spans: readonly Span[]): string {
  // From the first piece on: what was waited for before is the start of the run.
  const begin = Math.min(...spans.filter(({ kind }) => kind === 'compute').map(({ start }) => start))
  const shown = spans
    .filter((span) => span.kind !== 'transfer' && span.end > begin)
    .map((span) => ({ ...span, start: Math.max(span.start, begin) }))
  const end = Math.max(...shown.map((span) => span.end))
  const ranks = [...new Set(shown.map(({ rank }) => rank))].sort((a, b) => a - b)
  const height = SIZE.top + ranks.length * (SIZE.row + SIZE.gap) + SIZE.bottom
  const x = (time: number) => SIZE.label + ((time - begin) / Math.max(end - begin, 1)) * (SIZE.width - SIZE.label - 10)
  const y = (rank: number) => SIZE.top + ranks.indexOf(rank) * (SIZE.row + SIZE.gap)
  const patches = [...new Set(shown.flatMap(({ patch }) => (patch === undefined ? [] : [patch])))].sort((a, b) => a - b)
  const boxes = shown.map((span) => {
    const [left, width] = [x(span.start), Math.max(x(span.end) - x(span.start), 0.5)]
    const fill = span.kind === 'wait' ? 'url(#waiting)' : colourOf(span.patch)
    const words = [`rank ${span.rank}: ${span.name}`, span.step === undefined ? '' : `step ${span.step + 1}`]
    const label =
      span.kind === 'compute' && width > 16 && span.step !== undefined
        ? `<text x="${(left + width / 2).toFixed(1)}" y="${y(span.rank) + 22}" text-anchor="middle" fill="#fff">${span.step + 1}</text>`
        : ''
    return `<rect x="${left.toFixed(1)}" y="${y(span.rank)}" width="${width.toFixed(1)}" height="${SIZE.row}" fill="${fill}"><title>${words.filter(Boolean).join(', ')}, ${(span.end - span.start).toFixed(1)} ms</title></rect>${label}`
  })
  const legend = [
    ...patches.map((patch) => [`patch ${patch}`, colourOf(patch)]),
    ['whole picture', WHOLE],
    ['waiting', 'url(#waiting)'],
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${height}" font-family="sans-serif" font-size="12">
<title>What ranks do against time</title>
<defs><pattern id="waiting" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff"/><rect width="2" height="6" fill="#bbb"/></pattern></defs>
<rect width="100%" height="100%" fill="#fff"/>
${legend.map(([name, fill], i) => `<rect x="${SIZE.label + i * 105}" y="14" width="14" height="14" fill="${fill}" stroke="#999"/><text x="${SIZE.label + i * 105 + 19}" y="25">${name}</text>`).join('\n')}
${ranks.map((rank) => `<text x="10" y="${y(rank) + 22}">rank ${rank}</text>`).join('\n')}
${boxes.join('\n')}
<text x="${SIZE.label}" y="${height - 10}">0 ms</text><text x="${SIZE.width - 10}" y="${height - 10}" text-anchor="end">${(end - begin).toFixed(0)} ms</text>
</svg>
`
}

const colourOf = (patch: number | undefined): string => (patch === undefined ? WHOLE : COLOURS[patch % COLOURS.length])
