import type { TokenRange } from '../../runtime/execution.ts'
import type { Share } from '../../runtime/shares.ts'

/** Rows and columns of a picture's tokens. */
export interface Grid {
  readonly rows: number
  readonly columns: number
}

/** Rows of a picture that go through the network at once: all, or one of PipeFusion's patches. */
export interface Piece {
  readonly index: number
  /** Rows of tokens. */
  readonly rows: Share
  readonly tokens: TokenRange
}

/** The picture in pieces of ceil(rows / count) rows; the last may have fewer, and there can be fewer of them. */
export function piecesOf({ rows, columns }: Grid, count: number): Piece[] {
  const height = Math.ceil(rows / count)
  return Array.from({ length: Math.ceil(rows / height) }, (_, index) => {
    const share = { first: index * height, end: Math.min((index + 1) * height, rows) }
    return { index, rows: share, tokens: { first: share.first * columns, end: share.end * columns } }
  })
}
