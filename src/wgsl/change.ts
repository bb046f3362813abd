// How far x is from what it was: sums[workgroup] = (Σ |x - before|, Σ |before|) over every so many values. Tiers: all, f32.
// Bindings: p, x, before, sums. Reads its inputs once, and so takes what a copy of them takes.
import { bindings, entry, uniformBlock } from './text.ts'

/** The sums of all workgroups together are those of all values. */
export const change = (workgroup: number): string => `
${uniformBlock(['count', 'stride'])}
${bindings(['x', 'array<f32>'], ['before', 'array<f32>'], ['sums!', 'array<vec2f>'])}
var<workgroup> partial: array<vec2f, ${workgroup}>;
${entry(workgroup)} {
  var sum = vec2f(0.0);
  for (var i = workgroup.x * ${workgroup}u + local.x; i < p.count; i += p.stride) {
    sum += vec2f(abs(x[i] - before[i]), abs(before[i]));
  }
  partial[local.x] = sum;
  workgroupBarrier();
  if (local.x > 0u) { return; }
  for (var t = 1u; t < ${workgroup}u; t++) { sum += partial[t]; }
  sums[workgroup.x] = sum;
}`
