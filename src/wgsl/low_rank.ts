// A file's values and a product of two thin matrices to f32, as they are loaded: W + up · down. Tiers: all. A thread a word of the
// file. Bindings: p, raw (a chunk of the file), up [rows, rank], down [rank, columns], y (f32, as many values as the chunk has).
import { type FileType, unpacked, valuesOfWord } from './convert.ts'
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const lowRankName = (type: FileType, workgroup: number): string => `low_rank.${type}.w${workgroup}`

/** `first` is the place of the chunk's first value among all; of word `i` values are wanted up to `count`. */
export const lowRank = (type: FileType, workgroup: number): string => {
  const perWord = valuesOfWord(type)
  return `${uniformBlock(['words', 'count', 'first', 'columns', 'rank'])}
${bindings(['raw', 'array<u32>'], ['up', 'array<f32>'], ['down', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.words) { return; }
  let word = raw[i];
  let values = ${unpacked(type)};
  for (var t = 0u; t < ${perWord}u; t++) {
    let at = i * ${perWord}u + t;
    if (at >= p.count) { return; }
    let row = (p.first + at) / p.columns;
    let column = (p.first + at) % p.columns;
    var sum = 0.0;
    for (var r = 0u; r < p.rank; r++) { sum += up[row * p.rank + r] * down[r * p.columns + column]; }
    y[at] = values[t] + sum;
  }
}`
}
