import * as code from '../../wgsl/clamp.ts'
import { flatGroups } from '../../wgsl/text.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** x with values beyond ±limit cut off. Schedulers with `clip_sample` do this to the predicted data. */
export function clamp(g: Recorder, x: Tensor, limit: number): Tensor {
  const workgroup = flatWorkgroup(g.device.target)
  const y = g.create(x.shape, 'f32', 'clamp')
  g.record({
    kernel: kernel(`clamp.w${workgroup}`, () => code.clamp(workgroup)),
    inputs: [x],
    outputs: [y],
    uniforms: [y.size, { f32: limit }],
    groups: flatGroups(y.size, workgroup),
  })
  return y
}
