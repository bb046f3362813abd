/**
 * How a matmul is cut for matrix units: a workgroup computes `rows` x `columns` outputs, `depth` values of each operand at a
 * time, and each of its subgroups `subgroupRows` x `subgroupColumns` of them in matrices of 16 x 16.
 */
export interface MatrixTile {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly subgroupRows: number
  readonly subgroupColumns: number
}

/** Rows and columns of a matrix that a subgroup multiplies at once, and the depth of it. */
export const UNIT = 16

/** Threads of a subgroup. */
export const LANES = 32

export const subgroupsOf = ({ rows, columns, subgroupRows, subgroupColumns }: MatrixTile): number =>
  (rows / subgroupRows) * (columns / subgroupColumns)

export const matrixTileName = ({ rows, columns, depth, subgroupRows, subgroupColumns }: MatrixTile): string =>
  `${rows}x${columns}x${depth}.${subgroupRows}x${subgroupColumns}`
