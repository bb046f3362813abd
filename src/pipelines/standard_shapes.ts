/** The sizes that HunyuanDiT was trained for, [width, height], by width / height. */
const SHAPES: readonly (readonly [ratio: number, shapes: readonly (readonly [number, number])[]])[] = [
  [1, sides(1024, 1024, 1280, 1280)],
  [4 / 3, sides(1024, 768, 1152, 864, 1280, 960)],
  [3 / 4, sides(768, 1024, 864, 1152, 960, 1280)],
  [16 / 9, sides(1280, 768)],
  [9 / 16, sides(768, 1280)],
]

/** The trained size nearest in ratio, then in area: map_to_standard_shapes of diffusers' HunyuanDiTPipeline. */
export function standardShape(width: number, height: number): readonly [width: number, height: number] {
  const [, shapes] = nearest(SHAPES, ([ratio]) => Math.abs(ratio - width / height))
  return nearest(shapes, ([w, h]) => Math.abs(w * h - width * height))
}

function sides(...numbers: number[]): [number, number][] {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]])
}

/** The first with the least distance. */
function nearest<T>(candidates: readonly T[], distance: (candidate: T) => number): T {
  return candidates.reduce((best, candidate) => (distance(candidate) < distance(best) ? candidate : best))
}
