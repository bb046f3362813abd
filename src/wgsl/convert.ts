// A file's values to a weight's, as they are loaded: F32, F16 and BF16, two or one to a word, to f32 or f16. Tiers: all.
// Bindings: p, raw (a chunk of the file), y (the whole tensor).
import { arrayOf, enableStored, type Stored, toStored } from './stored.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

/** Types that checkpoints hold weights in, by their safetensors names. */
export type FileType = 'F32' | 'F16' | 'BF16'

/** How a tensor is laid out on the device: as stored, or a convolution's [out, in, window²] as [out, window², in]. */
export type StoredLayout = 'rows' | 'window'

/** What is kept of it besides: 'columns' are some of each row's, from one place or two. */
export type Conversion = StoredLayout | 'columns'

/** The values of `word` as an array. */
export const unpacked = (type: FileType): string =>
  ({
    F32: 'array<f32, 1>(bitcast<f32>(word))',
    F16: 'array<f32, 2>(unpack2x16float(word).x, unpack2x16float(word).y)',
    BF16: 'array<f32, 2>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u))',
  })[type]

export const valuesOfWord = (type: FileType): 1 | 2 => (type === 'F32' ? 1 : 2)

export const convertName = (type: FileType, to: Stored, layout: Conversion, workgroup: number): string =>
  `convert.${type}=${to}.${layout}.w${workgroup}`

export const convert = (type: FileType, to: Stored, layout: Conversion, workgroup: number): string => {
  const perWord = valuesOfWord(type)
  return `${enableStored(to)}
${uniformBlock(['words', 'count', 'first', ...(layout === 'columns' ? ['columns', 'begin', 'kept', 'begin2', 'kept2'] : ['channels', 'window'])])}
${bindings(['raw', 'array<u32>'], ['y!', arrayOf(to)])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.words) { return; }
  let word = raw[i];
  let values = ${unpacked(type)};
  for (var t = 0u; t < ${perWord}u; t++) {
    let at = i * ${perWord}u + t;
    if (at >= p.count) { return; }
    let source = p.first + at;
    ${
      layout === 'columns'
        ? `let column = source % p.columns;
    // Wraps round below its beginning, and is beyond what is kept then.
    let one = column - p.begin;
    let two = column - p.begin2;
    if (one >= p.kept && two >= p.kept2) { continue; }
    let target_ = (source / p.columns) * (p.kept + p.kept2) + select(p.kept + two, one, one < p.kept);`
        : layout === 'rows'
          ? 'let target_ = source;'
          : 'let target_ = ((source / (p.channels * p.window)) * p.window + source % p.window) * p.channels + (source / p.window) % p.channels;'
    }
    y[target_] = ${toStored(to, 'values[t]')};
  }
}`
}
