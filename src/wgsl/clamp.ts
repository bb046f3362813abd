// y = x cut off at ±limit, elementwise over flat f32 arrays. Tiers: all, in f32. Bindings: p, x, y.
import { bindings, entry, flatIndex, uniformBlock } from './text.ts'

export const clamp = (workgroup: number): string => `
${uniformBlock(['count', 'limit: f32'])}
${bindings(['x', 'array<f32>'], ['y!', 'array<f32>'])}
${entry(workgroup)} {
  ${flatIndex(workgroup)}
  if (i >= p.count) { return; }
  y[i] = clamp(x[i], -p.limit, p.limit);
}`
