import { numberBytes, scaleBytes } from '../../wgsl/quantized/format.ts'
import type { Device } from '../device.ts'
import type { Share } from '../shares.ts'
import { Tensor } from '../tensor.ts'
import type { KeptWeight } from './block_layout.ts'
import type { Checkpoint } from './checkpoint.ts'
import { fill } from './fill.ts'
import { deviceTensor } from './parameters.ts'
import { freeWeightBuffer, weightBuffer } from './weight_buffer.ts'

/** Reads the values of a block's weight that this rank keeps into its share of the block. */
export async function fillShare(
  device: Device,
  checkpoint: Checkpoint,
  weight: KeptWeight,
  own: Tensor,
  chunk: Uint8Array,
): Promise<void> {
  const { name, parameter, slice, tensor, elements, bytes: kept, offset } = weight
  const { buffer, bytes } = own.placement!
  const together = slice?.axis !== 1 && parameter.layout === 'rows'
  const flat = { ...parameter, shape: [elements.end - elements.first], layout: 'rows' as const, format: tensor.packed }
  if (together && !tensor.packed) {
    const part = deviceTensor(name, flat, device.target)
    part.placement = { buffer, bytes, offset }
    return fill(device, checkpoint, part, weight, chunk)
  }
  // Numbers and scales are apart, or its values are not together in the file: what has them passes through.
  const passing = together ? deviceTensor(name, flat, device.target) : unplacedCopy(tensor)
  const first = together ? elements.first : 0
  passing.placement = await weightBuffer(device, passing.bytes, `weight ${name}`)
  try {
    await fill(device, checkpoint, passing, together ? weight : { name, parameter, slice }, chunk)
    await device.checked(() => {
      const encoder = device.gpu.createCommandEncoder()
      for (const { from, to, length } of copiesOf(tensor, kept, passing, first)) {
        encoder.copyBufferToBuffer(passing.placement!.buffer, from, buffer, offset + to, length)
      }
      device.gpu.queue.submit([encoder.finish()])
    })
  } finally {
    freeWeightBuffer(device, passing.placement)
  }
}

/**
 * Where bytes of a tensor are in a part of it that begins with value `first`: numbers and scales each in one place.
 *
 * @returns `to` from the first of the bytes on
 */
function copiesOf(tensor: Tensor, bytes: Share, part: Tensor, first: number) {
  const { packed } = tensor
  const sections = packed
    ? [
        { begin: 0, end: numberBytes(packed, tensor.size), skipped: numberBytes(packed, first), at: 0 },
        {
          begin: numberBytes(packed, tensor.size),
          end: tensor.bytes,
          skipped: (first / packed.group) * scaleBytes(packed),
          at: numberBytes(packed, part.size),
        },
      ]
    : [{ begin: 0, end: tensor.bytes, skipped: 0, at: 0 }]
  return sections.flatMap(({ begin, end, skipped, at }) => {
    const from = Math.max(begin, bytes.first)
    const source = at + from - begin - skipped
    // Behind the last scale is nothing that anybody reads.
    const length = Math.min(Math.min(end, bytes.end) - from, part.bytes - source)
    return length > 0 ? [{ from: source, to: from - bytes.first, length }] : []
  })
}

function unplacedCopy({ shape, dtype, label, packed }: Tensor): Tensor {
  const copy = new Tensor(shape, dtype, label, packed)
  copy.persistent = true
  return copy
}
