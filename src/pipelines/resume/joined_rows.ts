/** Pieces of pictures, [pictures, channels, rows, width] each, as whole ones. */
export function joinedRows(pieces: readonly Float32Array[], shapes: readonly (readonly number[])[]): Float32Array {
  if (pieces.length === 1) return pieces[0]
  const [pictures, channels, , width] = shapes[0]
  const height = shapes.reduce((sum, [, , rows]) => sum + rows, 0)
  const joined = new Float32Array(pictures * channels * height * width)
  let first = 0
  for (const [k, piece] of pieces.entries()) {
    const rows = shapes[k][2]
    const size = rows * width
    for (let plane = 0; plane < pictures * channels; plane++) {
      joined.set(piece.subarray(plane * size, (plane + 1) * size), (plane * height + first) * width)
    }
    first += rows
  }
  return joined
}
