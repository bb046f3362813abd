// Kernels that cut pictures [planes, height, width] into overlapping tiles and join them again. Tiers: all, in f32; they
// move a few bytes a pixel, next to the network that runs between them. Bindings: p, inputs, y.
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/** y [planes, height, width]: the part of x [planes, xHeight, xWidth] from row `top` and column `left` on. */
export const crop = (workgroup: number): string => `
${uniformBlock(['count', 'height', 'width', 'xHeight', 'xWidth', 'top', 'left'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = p.left + i % p.width;
  let row = p.top + (i / p.width) % p.height;
  let plane = i / (p.width * p.height);
  y[i] = x[(plane * p.xHeight + row) * p.xWidth + column];
}`

/**
 * y = tile [planes, height, width], where its first `rows` rows fade in over the last ones of the tile above, and then its
 * first `columns` columns over the last ones of the tile on its left.
 */
export const blend = (workgroup: number): string => `
${uniformBlock(['count', 'height', 'width', 'aboveHeight', 'leftWidth', 'rows', 'columns'])}
${bindings(['tile', 'array<f32>'], ['above', 'array<f32>'], ['left', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = i % p.width;
  let row = (i / p.width) % p.height;
  let plane = i / (p.width * p.height);
  var v = tile[i];
  if (row < p.rows) {
    let t = f32(row) / f32(p.rows);
    v = above[(plane * p.aboveHeight + p.aboveHeight - p.rows + row) * p.width + column] * (1.0 - t) + v * t;
  }
  if (column < p.columns) {
    let t = f32(column) / f32(p.columns);
    v = left[(plane * p.height + row) * p.leftWidth + p.leftWidth - p.columns + column] * (1.0 - t) + v * t;
  }
  y[i] = v;
}`

/** The first rows and columns of tile [planes, tileHeight, tileWidth] into y [planes, yHeight, yWidth] at `top`, `left`. */
export const paste = (workgroup: number): string => `
${uniformBlock(['count', 'rows', 'columns', 'tileHeight', 'tileWidth', 'yHeight', 'yWidth', 'top', 'left'])}
${bindings(['tile', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  let column = i % p.columns;
  let row = (i / p.columns) % p.rows;
  let plane = i / (p.columns * p.rows);
  y[(plane * p.yHeight + p.top + row) * p.yWidth + p.left + column] =
    tile[(plane * p.tileHeight + row) * p.tileWidth + column];
}`
