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

/** Columns of a subgroup's sums that pass through workgroup memory at once, where threads can see them. */
export const slabColumns = ({ subgroupColumns }: MatrixTile): number => Math.min(16, subgroupColumns)

/** Rows and columns of a matrix that a subgroup multiplies at once, and the depth of it. */
export const UNIT = 16

/** Threads of a subgroup. */
export const LANES = 32

export const subgroupsOf = ({ rows, columns, subgroupRows, subgroupColumns }: MatrixTile): number =>
  (rows / subgroupRows) * (columns / subgroupColumns)

export const matrixTileName = ({ rows, columns, depth, subgroupRows, subgroupColumns }: MatrixTile): string =>
  `${rows}x${columns}x${depth}.${subgroupRows}x${subgroupColumns}`

/** First lines of kernels with subgroup matrices. */
export const ENABLE_MATRICES = `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`

/** A matrix from workgroup memory of vec4<f16>: `row` counts rows of `quads` vectors, `column` vectors. */
export const loadMatrix = (
  kind: 'left' | 'right',
  order: 'row' | 'col',
  from: string,
  row: string,
  column: string,
  quads: number,
): string =>
  `subgroupMatrixLoad<subgroup_matrix_${kind}<f16, ${UNIT}, ${UNIT}>, ${order}_major>(&${from}, (${row}) * ${quads}u + ${column}, ${quads}u)`

/**
 * Before the body of a loop, which `} default: { return; } }` follows: with a branch that is never taken around it, NVIDIA's
 * compiler leaves the loop as it is, where it makes eight copies otherwise, takes three to five times as long for them, and
 * fills the instruction cache. `p.zero` is 0.
 */
export const ONCE = 'switch (p.zero) { case 0u:'
