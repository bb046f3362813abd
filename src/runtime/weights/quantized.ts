import type { WeightFormat } from '../../wgsl/quantized/format.ts'
import { DitError } from '../errors.ts'
import { Parameters } from './parameters.ts'

/**
 * The same weights, those of the blocks' linear layers in few bits. What is before and behind the blocks stays as it is: it
 * is little, and all that is drawn goes through it.
 *
 * @param what whose weights they are, for people
 * @throws DitError 'bad-argument' where no block has a linear layer, or groups do not divide the inputs of one
 */
export function quantizedParameters(parameters: Parameters, format: WeightFormat, what: string): Parameters {
  let layers = 0
  const all = [...parameters.all].map(([name, parameter]) => {
    if (!parameter.linear || typeof parameter.at !== 'number') return [name, parameter] as const
    layers++
    const inputs = parameter.shape[1]
    if (inputs % format.group !== 0) {
      throw new DitError(
        'bad-argument',
        `${name} of ${what} has ${inputs} inputs, which are no whole groups of ${format.group}`,
        'Choose a smaller group, such as int8_asym_g32, or f16 for this component.',
      )
    }
    return [name, { ...parameter, format }] as const
  })
  if (layers > 0) return new Parameters('', new Map(all))
  throw new DitError(
    'bad-argument',
    `${what} has no blocks of linear layers, whose weights could be in few bits`,
    'Leave it out, or give f16 for it.',
  )
}
