// Finds values that are no finite numbers: noted = max(noted, mark) where x has one. Tiers: all, x f32. A driver may assume that
// there are none, so their bits are asked. Bindings: p, x, noted.
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const notFinite = (workgroup: number): string => `
${uniformBlock(['count', 'mark'])}
${bindings(['x', 'array<u32>'], ['noted!', 'array<atomic<u32>, 1>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  if ((x[i] & 0x7f800000u) == 0x7f800000u) { atomicMax(&noted[0], p.mark); }
}`
