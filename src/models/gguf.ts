import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import type { Checkpoint } from '../runtime/weights/checkpoint.ts'
import type { Parameters } from '../runtime/weights/parameters.ts'

/** What converters write that do not tell networks apart (gguf-connector), as ComfyUI-GGUF's loader knows it. */
const NO_ARCHITECTURE = 'pig'

/**
 * Checks that a GGUF file is of that kind of network, where it says of which; any other checkpoint passes.
 *
 * @param architectures as general.architecture of its files names the network
 * @throws DitError 'unsupported'
 */
export function checkArchitecture(
  { gguf, where }: Checkpoint,
  architectures: readonly string[],
  className: string,
): void {
  const named = gguf?.architecture
  if (named === undefined || named === NO_ARCHITECTURE || architectures.includes(named)) return
  throw new DitError(
    'unsupported',
    architectures.length > 0
      ? `${where} is of a network of architecture ${show(named)}, expected ${architectures.join(' or ')}, for ${className}`
      : `${where} is of a network of architecture ${show(named)}, and webdit reads no ${className} from GGUF`,
    'webdit reads GGUF files of FLUX.1 (flux), Stable Diffusion 3 and 3.5 (sd3) and T5 (t5encoder, t5).',
  )
}

/** A checkpoint whose tensors have the leading ones of their shapes that ggml does not store; any other as it is. */
export function withLeadingOnes(checkpoint: Checkpoint, { all }: Parameters): Checkpoint {
  function shapeOf(name: string, stored: number[]): number[] {
    const shape = all.get(name)?.shape ?? stored
    const ones = shape.length - stored.length
    return ones > 0 && [...Array(ones).fill(1), ...stored].join() === shape.join() ? shape : stored
  }
  return {
    ...checkpoint,
    entry(name) {
      const { path, tensor } = checkpoint.entry(name)
      return { path, tensor: { ...tensor, shape: shapeOf(name, tensor.shape) } }
    },
    async read(name) {
      const { shape, data } = await checkpoint.read(name)
      return { shape: shapeOf(name, shape), data }
    },
  }
}
