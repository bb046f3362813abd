// Rescaled guidance (Lin et al. 2023, 3.4): y = x · (by · deviation of `prompted` / deviation of x + 1 - by), both of a whole
// picture. Tiers: all, in f32. Bindings: p, x, prompted, y. One workgroup a picture: a deviation around its mean is a second
// pass, as in the norms.
import { bindings, entry, uniformBlock } from './text.ts'

/** x, prompted and y are [pictures, size]. */
export function rescale(workgroup: number): string {
  const sum = (name: string, term: string): string => `
  part = 0.0;
  for (var i = local.x; i < p.size; i += ${workgroup}u) { part += ${term}; }
  partial[local.x] = part;
  workgroupBarrier();
  var ${name} = 0.0;
  for (var t = 0u; t < ${workgroup}u; t++) { ${name} += partial[t]; }
  workgroupBarrier();`
  const deviation = (of: string): string => `
  ${sum(`${of}Mean`, `${of}[at + i]`)}
  ${of}Mean /= f32(p.size);
  ${sum(`${of}Squares`, `(${of}[at + i] - ${of}Mean) * (${of}[at + i] - ${of}Mean)`)}`
  return `
${uniformBlock(['size', 'by: f32'])}
${bindings(['x', 'array<f32>'], ['prompted', 'array<f32>'], ['y!', 'array<f32>'])}
var<workgroup> partial: array<f32, ${workgroup}>;
${entry(workgroup)} {
  let at = workgroup.x * p.size;
  var part = 0.0;
  ${deviation('prompted')}
  ${deviation('x')}
  let factor = p.by * sqrt(promptedSquares / xSquares) + 1.0 - p.by;
  for (var i = local.x; i < p.size; i += ${workgroup}u) { y[at + i] = x[at + i] * factor; }
}`
}
