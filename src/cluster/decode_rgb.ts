import { decode } from 'fast-png'
import type { RgbBytes } from '../pipelines/image/lanczos.ts'
import { DitError } from '../runtime/errors.ts'

/** The colours of a PNG that webdit wrote. @throws DitError 'corrupt' */
export function decodeRgb(bytes: Uint8Array): RgbBytes {
  try {
    const { width, height, channels, depth, data } = decode(bytes, { checkCrc: true })
    if (channels === 3 && depth === 8) return { width, height, data: data as Uint8Array }
  } catch (cause) {
    throw new DitError('corrupt', 'a picture came damaged from another machine', 'Run again.', { cause })
  }
  throw new DitError('corrupt', 'a picture of another kind came from another machine', 'Run again.')
}
