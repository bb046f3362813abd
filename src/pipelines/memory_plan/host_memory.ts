import type { BufferLedger } from '../../runtime/buffer_ledger.ts'
import type { PipelineOutput } from '../options.ts'

/** Bytes on the host, each an upper bound. Where the device is a CPU, its own come on top. */
export interface HostMemory {
  /** The runtime, WebGPU, the driver and its compiled kernels. */
  readonly runtime: number
  /** Bytes on their way to the device and back. */
  readonly transfers: number
  /** Latents and pictures, with what making a picture of them takes. */
  readonly pictures: number
  /** Encoded texts that are kept so that encoders need not be loaded again. */
  readonly texts: number
  /** Blocks that stay there and come to the device when they run. */
  readonly blocks: number
  readonly total: number
}

/**
 * Node 20 with Dawn and a driver, after a run with SwiftShader: 190 to 280 MiB were measured, for how soon V8 gives garbage
 * back varies. Browsers count theirs otherwise.
 */
const RUNTIME = 352 * 2 ** 20

/** Chunks that loading holds: as read from the file, and mapped for the device. */
const CHUNKS = 2
/** An upload is a host array, its copy for the queue, and the driver's. */
const COPIES_OF_UPLOADS = 3
/** Latents: noise, scaled noise, results, and one as they are checked. */
const COPIES_OF_LATENTS = 4
/** Beside the pixels: those that PNG filters, and the file. */
const COPIES_OF_PIXELS = 3

export function hostBytes(
  ledger: BufferLedger,
  { images, latents }: PipelineOutput,
  drawn: { height: number; width: number },
  { texts = 0, blocks = 0 }: { texts?: number; blocks?: number } = {},
): HostMemory {
  const transfers = CHUNKS * ledger.peakMapped + COPIES_OF_UPLOADS * ledger.peakWritten
  const pixels = images.map(({ data }) => data.byteLength)
  const decoded = images.length > 0 ? 3 * drawn.height * drawn.width * 4 : 0
  const pictures =
    COPIES_OF_LATENTS * latents.data.byteLength +
    pixels.reduce((sum, bytes) => sum + bytes, 0) +
    // Of one at a time: as decoded, resized, and as a file.
    decoded +
    4 * (pixels[0] ?? 0) +
    COPIES_OF_PIXELS * (pixels[0] ?? 0)
  const total = RUNTIME + transfers + pictures + texts + blocks
  return { runtime: RUNTIME, transfers, pictures, texts, blocks, total }
}
