// Kernels that move values and compute none: patches, channel order, rows of tables. Tiers: f32.
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/**
 * Patches of x [pictures, channels, height, width] as rows: y [batch, tokens, channels · patch · patch], the order of a
 * convolution's weight. Row t is token firstToken + t; a batch larger than the pictures repeats them (guidance).
 */
export const patchify = (workgroup: number): string => `
${uniformBlock(['count', 'pictures', 'channels', 'height', 'width', 'patch', 'tokens', 'firstToken'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let depth = p.channels * p.patch * p.patch;
  let inner = i % depth;
  let token = p.firstToken + (i / depth) % p.tokens;
  let picture = (i / (depth * p.tokens)) % p.pictures;
  let across = p.width / p.patch;
  let row = (token / across) * p.patch + (inner / p.patch) % p.patch;
  let column = (token % across) * p.patch + inner % p.patch;
  let channel = inner / (p.patch * p.patch);
  y[i] = x[((picture * p.channels + channel) * p.height + row) * p.width + column];
}`

/**
 * Rows back to pictures: x [batch, tokens, patch · patch · sourceChannels] to y [batch, channels, height, width], the
 * first `channels` of the source's (learned variances fall away).
 */
export const unpatchify = (workgroup: number): string => `
${uniformBlock(['count', 'channels', 'sourceChannels', 'height', 'width', 'patch'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = i % p.width;
  let row = (i / p.width) % p.height;
  let channel = (i / (p.width * p.height)) % p.channels;
  let picture = i / (p.width * p.height * p.channels);
  let across = p.width / p.patch;
  let token = (picture * (p.height / p.patch) + row / p.patch) * across + column / p.patch;
  let inner = (row % p.patch) * p.patch + column % p.patch;
  y[i] = x[(token * p.patch * p.patch + inner) * p.sourceChannels + channel];
}`

/** x [batch, rows, columns] to y [batch, columns, rows]: channels first to channels last, and back. */
export const transpose = (workgroup: number): string => `
${uniformBlock(['count', 'rows', 'columns'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let row = i % p.rows;
  let column = (i / p.rows) % p.columns;
  let picture = i / (p.rows * p.columns);
  y[i] = x[(picture * p.rows + row) * p.columns + column];
}`

/** Rows of a table: y [ids, columns] = table[ids[i]]. */
export const gather = (workgroup: number): string => `
${uniformBlock(['count', 'columns'])}
${bindings(['table', 'array<f32>'], ['ids', 'array<u32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  y[i] = table[ids[i / p.columns] * p.columns + i % p.columns];
}`

/**
 * T5's relative position bias [heads, queries, keys] from its table [buckets, heads]; buckets [queries + keys - 1] has
 * the bucket of each distance key - query, from 1 - queries up.
 */
export const relativeBias = (workgroup: number): string => `
${uniformBlock(['count', 'queries', 'keys', 'heads'])}
${bindings(['table', 'array<f32>'], ['buckets', 'array<u32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let key = i % p.keys;
  let query = (i / p.keys) % p.queries;
  let head = i / (p.keys * p.queries);
  y[i] = table[buckets[key + p.queries - 1u - query] * p.heads + head];
}`
