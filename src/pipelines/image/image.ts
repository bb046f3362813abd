import { DitError } from '../../runtime/errors.ts'
import { encodePng } from './png.ts'

/** A finished picture: 8-bit RGB, and the parameters that drew it. */
export class DitImage {
  readonly width: number
  readonly height: number
  /** height x width x 3 bytes, rows from the top. */
  readonly data: Uint8Array | Uint8ClampedArray
  /** What drew it (prompt, seed, …); PNGs carry these as text. */
  readonly parameters: Record<string, string>

  constructor(
    width: number,
    height: number,
    data: Uint8Array | Uint8ClampedArray,
    parameters: Record<string, string> = {},
  ) {
    checkLength(data.length, width, height)
    this.width = width
    this.height = height
    this.data = data
    this.parameters = parameters
  }

  /**
   * A decoder's output as a picture, as diffusers' VaeImageProcessor.postprocess and numpy_to_pil make it.
   * @param chw 3 x height x width floats, -1 to 1; what lies outside is clamped
   * @throws DitError 'validation' where a value is not a number
   */
  static fromFloat(
    chw: Float32Array,
    height: number,
    width: number,
    parameters: Record<string, string> = {},
  ): DitImage {
    checkLength(chw.length, width, height)
    const plane = height * width
    const data = new Uint8Array(3 * plane)
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < plane; i++) data[3 * i + channel] = toByte(chw[channel * plane + i])
    }
    return new DitImage(width, height, data, parameters)
  }

  /** The picture as a PNG file, its parameters in text chunks. */
  async toPng(): Promise<Uint8Array<ArrayBuffer>> {
    return encodePng(this.data, this.width, this.height, this.parameters)
  }

  /**
   * Writes the PNG to a file, whole or not at all (Node and Deno).
   * @throws DitError 'io' where the file cannot be written, 'unsupported' in a browser
   */
  async save(path: string): Promise<void> {
    if (!hasFileSystem()) {
      throw new DitError(
        'unsupported',
        `a page cannot write the file ${path}`,
        'Use toPng() and offer the bytes as a download: new Blob([await image.toPng()], { type: "image/png" }).',
      )
    }
    const { writeWhole } = await import('./write_file.node.ts')
    await writeWhole(path, await this.toPng())
  }
}

/** -1…1 to 0…1 as VaeImageProcessor.postprocess does it; what lies outside is clamped. */
export function toUnit(value: number): number {
  return Math.min(1, Math.max(0, Math.fround(value * 0.5 + 0.5)))
}

/** -1…1 to 0…255 in f32 steps, halves to the even neighbour, so that every byte equals numpy's. */
function toByte(value: number): number {
  const unit = toUnit(value)
  if (Number.isNaN(unit)) {
    throw new DitError(
      'validation',
      'the decoded image holds values that are not numbers',
      'The network overflowed or a kernel is wrong on this device: run `webdit verify` on the model to see where.',
    )
  }
  const scaled = Math.fround(unit * 255)
  const rounded = Math.round(scaled)
  return rounded - scaled === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded
}

function checkLength(length: number, width: number, height: number): void {
  if (Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0 && length === 3 * width * height) {
    return
  }
  throw new DitError(
    'bad-argument',
    `an RGB image of ${width}x${height} has ${3 * width * height} values, but ${length} were given`,
  )
}

/** Node and Deno both have `process.versions.node`; pages and their workers do not. */
function hasFileSystem(): boolean {
  const host = globalThis as { process?: { versions?: { node?: string } } }
  return host.process?.versions?.node !== undefined
}
