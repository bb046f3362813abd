import { change } from '../../wgsl/change.ts'
import { DitError } from '../errors.ts'
import { kernel, rowWorkgroup } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { shapeText, type Tensor } from '../tensor.ts'

/** Workgroups that share the values; few enough that their sums are read back in no time. */
const GROUPS = 64

/**
 * How far x is from what it was, both f32: [64, 2], whose columns add up to Σ |x - before| and Σ |before|.
 * @throws DitError 'validation' where the shapes differ
 */
export function changeSums(g: Recorder, x: Tensor, before: Tensor): Tensor {
  const [shape, other] = [shapeText(x.shape), shapeText(before.shape)]
  if (shape !== other) throw new DitError('validation', `the change of ${shape} from ${other}`)
  const workgroup = rowWorkgroup(g.device.target)
  const sums = g.create([GROUPS, 2], 'f32', 'change')
  g.record({
    kernel: kernel(`change.w${workgroup}`, () => change(workgroup)),
    inputs: [x, before],
    outputs: [sums],
    uniforms: [x.size, GROUPS * workgroup],
    groups: [GROUPS, 1, 1],
  })
  return sums
}
