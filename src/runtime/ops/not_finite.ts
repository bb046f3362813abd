import { notFinite } from '../../wgsl/not_finite.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** Raises `noted`, one u32, to `mark` where x, f32, holds a value that is no finite number. */
export function noteNotFinite(g: Recorder, x: Tensor, noted: Tensor, mark: number): void {
  const workgroup = flatWorkgroup(g.device.target)
  g.record({
    kernel: kernel(`notFinite.w${workgroup}`, () => notFinite(workgroup)),
    inputs: [x],
    outputs: [noted],
    keepsRest: true,
    uniforms: [x.size, mark],
    groups: flatGroups(x.size, workgroup),
  })
}
