import { numberBytes, type WeightFormat } from '../../wgsl/quantized/format.ts'
import { random, randomName, randomNumbers, randomNumbersName } from '../../wgsl/random.ts'
import { flatGroups } from '../../wgsl/text.ts'
import type { Device } from '../device.ts'
import { flatWorkgroup, kernel } from '../kernels.ts'
import { floatType, type Tensor } from '../tensor.ts'
import { UniformPacker } from '../uniforms.ts'
import { dispatchOnce } from './dispatch_once.ts'

/** Half of the range of a bias; norms have a weight of 1 besides. */
const SMALL = 0.02

/**
 * Gives a weight random values made on the device: a matrix such that products keep the scale of what they multiply,
 * [out, in, …] of a deviation of 1 / √in; of what has one dimension weights are near 1 and biases near 0.
 *
 * @param shape of the whole weight, where the tensor is a part
 */
export async function fillRandom(
  device: Device,
  tensor: Tensor,
  name: string,
  shape: readonly number[],
): Promise<void> {
  if (tensor.packed) return fillRandomNumbers(device, tensor, tensor.packed, name, shape)
  const to = floatType(tensor)
  const workgroup = flatWorkgroup(device.target)
  const code = kernel(randomName(to, workgroup), () => random(to, workgroup))
  await device.pipelines.prepare([code])
  const inputs = shape.slice(1).reduce((a, b) => a * b, 1)
  const [mean, spread] = shape.length > 1 ? [0, Math.sqrt(3 / inputs)] : [/weight$/.test(name) ? 1 : 0, SMALL]
  const packer = new UniformPacker(16)
  packer.add([tensor.size, hashOf(name), { f32: mean }, { f32: spread }])
  const block = await device.uniformBuffer(packer.bytes)
  await device.checked(() => {
    device.gpu.queue.writeBuffer(block, 0, packer.data)
    const { buffer, offset } = tensor.placement!
    const places = [{ buffer: block }, { buffer, offset, size: tensor.bytes }]
    dispatchOnce(device, code, places, flatGroups(tensor.size, workgroup))
  })
}

/** The same in few bits: all numbers alike often, and the scale with which they deviate as much. */
async function fillRandomNumbers(
  device: Device,
  tensor: Tensor,
  format: WeightFormat,
  name: string,
  [, inputs]: readonly number[],
): Promise<void> {
  const workgroup = flatWorkgroup(device.target)
  const code = kernel(randomNumbersName(workgroup), () => randomNumbers(workgroup))
  await device.pipelines.prepare([code])
  const steps = 2 ** format.bits
  const [words, numbers] = [tensor.bytes / 4, numberBytes(format, tensor.size) / 4]
  const scale = (2 * Math.sqrt(3 / inputs)) / steps
  const offset = format.symmetric ? scale : (-scale * (steps - 1)) / 2
  const packer = new UniformPacker(16)
  packer.add([words, hashOf(name), numbers, { f32: scale }, { f32: offset }])
  const block = await device.uniformBuffer(packer.bytes)
  await device.checked(() => {
    device.gpu.queue.writeBuffer(block, 0, packer.data)
    const { buffer, offset } = tensor.placement!
    const places = [{ buffer: block }, { buffer, offset, size: tensor.bytes }]
    dispatchOnce(device, code, places, flatGroups(words, workgroup))
  })
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
