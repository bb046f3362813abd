import { readFile } from 'node:fs/promises'
import { convertIndexedToRgb, type DecodedPng, decode } from 'fast-png'
import type { RgbBytes } from '../../pipelines/image/lanczos.ts'
import { DitError } from '../../runtime/errors.ts'
import type { OptionSpec, ParsedArgs } from '../command.ts'

export const IMAGE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'image',
    type: 'texts',
    value: 'FILE.png',
    help: 'SD3 and FLUX: start from this picture, resized to what is drawn; several for as many prompts. Alpha is left out.',
  },
  {
    name: 'strength',
    type: 'number',
    value: 'X',
    help: 'How much of the image is drawn anew, from 0 to 1: as many of the first steps are left out. Default: 0.6.',
  },
]

/** What the command line says of pictures to start from, as a call has it. @throws DitError as readImage */
export async function readImageCall(args: ParsedArgs): Promise<{ image?: RgbBytes[]; strength?: number }> {
  const files = args.texts('image')
  const image = files.length > 0 ? await Promise.all(files.map(readImage)) : undefined
  return { image, strength: args.number('strength') }
}

/**
 * The colours of a PNG file of any kind, as Pillow's convert('RGB') has them: alpha left out, 16 bits cut to 8.
 * @throws DitError 'not-found', 'corrupt' for what is no PNG
 */
export async function readImage(file: string): Promise<RgbBytes> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? `there is no file ${file}` : `cannot read ${file} (${cause.code})`
    throw new DitError('not-found', what, 'Check the path behind --image.', { cause })
  })
  try {
    const png = decode(bytes, { checkCrc: true })
    return { width: png.width, height: png.height, data: rgbOf(png) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const hint = 'Save the picture as PNG: other kinds of files are not read.'
    throw new DitError('corrupt', `${file} is no PNG that can be read: ${why}`, hint, { cause })
  }
}

function rgbOf(png: DecodedPng): Uint8Array {
  const { channels, data } = png.palette ? fromPalette(png) : eightBit(png)
  const grey = channels < 3
  const out = new Uint8Array(3 * png.width * png.height)
  for (let i = 0; i < out.length / 3; i++) {
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[channels * i + (grey ? 0 : c)]
  }
  return out
}

interface Bytes {
  readonly channels: number
  readonly data: Uint8Array
}

function fromPalette(png: DecodedPng): Bytes {
  const data = convertIndexedToRgb(png)
  return { channels: data.length / (png.width * png.height), data }
}

function eightBit({ width, height, channels, depth, data }: DecodedPng): Bytes {
  if (depth === 16) return { channels, data: Uint8Array.from(data, (value) => value >> 8) }
  if (depth === 8) return { channels, data: data as Uint8Array }
  // Grey of 1, 2 or 4 bits: rows begin with a byte.
  const rowBytes = Math.ceil((width * depth) / 8)
  const most = 2 ** depth - 1
  const at = (i: number) => {
    const bit = (i % width) * depth
    const byte = data[Math.floor(i / width) * rowBytes + Math.floor(bit / 8)]
    return ((byte >> (8 - depth - (bit % 8))) & most) * (255 / most)
  }
  return { channels, data: Uint8Array.from({ length: width * height }, (_, i) => at(i)) }
}
