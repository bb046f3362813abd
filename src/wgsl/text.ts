/** Joins `count` pieces of code, for unrolled loops. */
export const unroll = (count: number, piece: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => piece(i)).join('\n')

/** The uniform block at binding 0: every field is four bytes, in the order ops pass them. */
export const uniformBlock = (fields: readonly string[]): string =>
  `struct Params { ${fields.map((f) => (f.includes(':') ? f : `${f}: u32`)).join(', ')} }\n` +
  '@group(0) @binding(0) var<uniform> p: Params;'

/** Storage bindings 1…n in order; a name ending in `!` is written. */
export const bindings = (...declared: readonly [name: string, type: string][]): string =>
  declared
    .map(([name, type], i) => {
      const written = name.endsWith('!')
      const access = written ? 'read_write' : 'read'
      return `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name.replace('!', '')}: ${type};`
    })
    .join('\n')

/** Workgroups of one dispatch dimension are at most 65,535; elementwise kernels spread over x and y. */
export const FLAT_WIDTH = 65_535

/** `let i` = the flat index of this invocation, in kernels dispatched by `flatGroups`. */
export const flatIndex = (workgroup: number): string =>
  `let i = (workgroup.y * ${FLAT_WIDTH}u + workgroup.x) * ${workgroup}u + local.x;`

export const flatGroups = (count: number, workgroup: number): [number, number, number] => {
  const groups = Math.ceil(count / workgroup)
  return [Math.min(groups, FLAT_WIDTH), Math.ceil(groups / FLAT_WIDTH), 1]
}

/** Entry point signature shared by kernels. */
export const entry = (x: number, y = 1, quads = false): string =>
  `@compute @workgroup_size(${x}, ${y}) fn main(@builtin(local_invocation_id) local: vec3u, ` +
  `@builtin(workgroup_id) workgroup: vec3u${quads ? ', @builtin(subgroup_invocation_id) invocation: u32' : ''})`

/** First line of kernels whose quads of four threads share what each of them loads; workgroups of one quad. */
export const QUADS = 'enable subgroups;'

/** `let lane` = this thread's place in its quad, 0 to 3. */
export const laneInQuad = 'let lane = invocation & 3u;'
