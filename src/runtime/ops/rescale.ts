import { rescale } from '../../wgsl/rescale.ts'
import { DitError } from '../errors.ts'
import { kernel, rowWorkgroup } from '../kernels.ts'
import type { Recorder } from '../recorder.ts'
import { shapeText, type Tensor } from '../tensor.ts'

/**
 * Guided predictions brought towards the deviation of those with the prompt (Lin et al. 2023; diffusers'
 * rescale_noise_cfg), each picture by itself: x and `prompted` [pictures, …].
 *
 * @param by from 0, nothing, to 1, all the way
 * @throws DitError 'validation' where the shapes differ
 */
export function rescaleGuidance(g: Recorder, x: Tensor, prompted: Tensor, by: number): Tensor {
  const [shape, other] = [shapeText(x.shape), shapeText(prompted.shape)]
  if (shape !== other) throw new DitError('validation', `guidance of ${shape} rescaled by ${other}`)
  const workgroup = rowWorkgroup(g.device.target)
  const y = g.create(x.shape, 'f32', 'rescaled guidance')
  g.record({
    kernel: kernel(`rescale.w${workgroup}`, () => rescale(workgroup)),
    inputs: [x, prompted],
    outputs: [y],
    uniforms: [x.size / x.dim(0), { f32: by }],
    groups: [x.dim(0), 1, 1],
  })
  return y
}
