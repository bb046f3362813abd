import type { Device } from '../../../../src/runtime/device.ts'
import { Recorder } from '../../../../src/runtime/recorder.ts'
import type { Tensor } from '../../../../src/runtime/tensor.ts'
import { randomHalves } from '../../../support/half.ts'
import { random, relativeL2 } from '../../../support/numbers.ts'

/** Sums in f32 of exact products: what rounds is f32 alone. */
export const SUMS = 2e-6
/** The most that rounding to the nearest f16 takes from a value, 2e-4 on the whole; cut off, it would be 5.6e-4. */
export const HALF = 2 ** -11

export interface Result {
  readonly name: string
  readonly error: number
  readonly limit: number
}

export interface Input {
  readonly values: Float32Array
  readonly tensor: Tensor
}

/** Random inputs on the device, as f32 or as f16, beside the numbers that they are; all f32 in tier f32. */
export class Inputs {
  readonly g: Recorder

  constructor(device: Device) {
    this.g = new Recorder(device)
  }

  of(type: 'f32' | 'f16', shape: number[], amplitude = 1): Input {
    const count = shape.reduce((a, b) => a * b, 1)
    if (type === 'f32' || this.g.device.tier === 'f32') {
      const values = random(count, amplitude)
      return { values, tensor: this.g.upload(values, shape) }
    }
    const { values, bits } = randomHalves(count, amplitude)
    return { values, tensor: this.g.upload(bits, shape) }
  }
}

/** The op's result against the reference, in the type that it was asked for. */
export async function compared(
  name: string,
  g: Recorder,
  y: Tensor,
  expected: ArrayLike<number>,
  type: 'f32' | 'f16',
): Promise<Result> {
  const expectedType = g.device.tier === 'f32' ? 'f32' : type
  if (y.dtype !== expectedType) throw new Error(`${name}: the result is ${y.dtype}, expected ${expectedType}`)
  return { name, error: relativeL2(await g.read(y), expected), limit: expectedType === 'f16' ? HALF : SUMS }
}
