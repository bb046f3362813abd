// Kernels that move values and compute none: patches, channel order, rows of tables. Tiers: all; f32 but for tables.
import { arrayOf, enableStored, loaded, type Stored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/**
 * Patches of x [pictures, channels, height, width] as rows: y [batch, tokens, channels · patch · patch], the order of a
 * convolution's weight. Row t is token firstToken + t; a batch larger than the pictures repeats them (guidance).
 */
export const patchify = (workgroup: number): string => `
${uniformBlock(['count', 'pictures', 'channels', 'height', 'width', 'side', 'tokens', 'firstToken'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let depth = p.channels * p.side * p.side;
  let inner = i % depth;
  let token = p.firstToken + (i / depth) % p.tokens;
  let picture = (i / (depth * p.tokens)) % p.pictures;
  let across = p.width / p.side;
  let row = (token / across) * p.side + (inner / p.side) % p.side;
  let column = (token % across) * p.side + inner % p.side;
  let channel = inner / (p.side * p.side);
  y[i] = x[((picture * p.channels + channel) * p.height + row) * p.width + column];
}`

/**
 * Rows back to pictures: x [batch, tokens, patch · patch · sourceChannels] to y [batch, channels, height, width], the
 * first `channels` of the source's (learned variances fall away). With `channelsFirst` a token's values are [sourceChannels,
 * patch, patch].
 */
export const unpatchify = (workgroup: number, channelsFirst = false): string => `
${uniformBlock(['count', 'channels', 'sourceChannels', 'height', 'width', 'side'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = i % p.width;
  let row = (i / p.width) % p.height;
  let channel = (i / (p.width * p.height)) % p.channels;
  let picture = i / (p.width * p.height * p.channels);
  let across = p.width / p.side;
  let token = (picture * (p.height / p.side) + row / p.side) * across + column / p.side;
  let inner = (row % p.side) * p.side + column % p.side;
  ${
    channelsFirst
      ? 'y[i] = x[(token * p.sourceChannels + channel) * p.side * p.side + inner];'
      : 'y[i] = x[(token * p.side * p.side + inner) * p.sourceChannels + channel];'
  }
}`

/** x [batch, rows, columns] to y [batch, columns, rows]: channels first to channels last, and back. */
export const transpose = (workgroup: number, stored: Stored = 'f32'): string => `${enableStored(stored)}
${uniformBlock(['count', 'rows', 'columns'])}
${bindings(['x', arrayOf(stored)], ['y!', arrayOf(stored)])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let row = i % p.rows;
  let column = (i / p.rows) % p.columns;
  let picture = i / (p.rows * p.columns);
  y[i] = x[(picture * p.rows + row) * p.columns + column];
}`

/** Each row of a, then the same row of b: y [rows, aColumns + bColumns]. */
export const concat = (workgroup: number): string => `
${uniformBlock(['count', 'aColumns', 'bColumns'])}
${bindings(['a', 'array<f32>'], ['b', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = i % (p.aColumns + p.bColumns);
  let row = i / (p.aColumns + p.bColumns);
  if (column < p.aColumns) { y[i] = a[row * p.aColumns + column]; } else { y[i] = b[row * p.bColumns + column - p.aColumns]; }
}`

/** Rows of a table: y [ids, columns] = table[ids[i]]. */
export const gather = (stored: Stored, workgroup: number): string => `${enableStored(stored)}
${uniformBlock(['count', 'columns'])}
${bindings(['table', arrayOf(stored)], ['ids', 'array<u32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  y[i] = ${loaded(stored, 'table[ids[i / p.columns] * p.columns + i % p.columns]')};
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
