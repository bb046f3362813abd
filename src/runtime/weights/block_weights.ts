import type { Recorder } from '../recorder.ts'
import type { Tensor } from '../tensor.ts'

/** The weights of a network's blocks, which are whole on the device no longer than they run. */
export interface BlockWeights {
  /** Bytes that they take on the device where they are loaded. */
  readonly bytes: number
  /** Bytes of them that stay on the host. */
  readonly hostBytes: number
  /** Runs `body` with all weights of the block whose keys begin so. Blocks are asked for in their order, or nearly. */
  using<T>(g: Recorder, prefix: string, body: (tensors: ReadonlyMap<string, Tensor>) => Promise<T>): Promise<T>
  /** Destroys the buffers. */
  free(): void
  /** Gives up what stays on the host, too. */
  dispose(): void
}
