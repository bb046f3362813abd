import { readFile } from 'node:fs/promises'
import { DitError } from '../../runtime/errors.ts'
import { shapeText } from '../../runtime/tensor.ts'
import { memorySource } from '../../runtime/weights/memory_source.ts'
import { readSafetensorsHeader, readTensor } from '../../runtime/weights/safetensors.ts'

export interface Latents {
  data: Float32Array
  /** [pictures, channels, height, width]. */
  shape: number[]
}

/**
 * The tensor `latents` of a safetensors file, or the only tensor in it.
 * @throws DitError 'not-found', 'corrupt', 'bad-argument' for another dtype or shape
 */
export async function readLatents(file: string): Promise<Latents> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? `there is no file ${file}` : `cannot read ${file} (${cause.code})`
    throw new DitError('not-found', what, 'Check the path behind --latents.', { cause })
  })
  const source = memorySource(new Map([['', bytes]]), file)
  const header = await readSafetensorsHeader(source, '')
  const names = [...header.tensors.keys()]
  const name = names.length === 1 ? names[0] : 'latents'
  if (!header.tensors.has(name)) {
    throw new DitError(
      'bad-argument',
      `${file} has no tensor "latents", and not one alone: it has ${names.join(', ') || 'none'}`,
      'Write the noise as a tensor named latents.',
    )
  }
  const { dtype, shape, data } = await readTensor(source, header, name)
  if (!(data instanceof Float32Array)) {
    throw new DitError('bad-argument', `${name} in ${file} is ${dtype}, expected F32, F16 or BF16`)
  }
  if (shape.length !== 4) {
    const expected = 'expected [pictures, channels, height, width]'
    throw new DitError('bad-argument', `${name} in ${file} has shape ${shapeText(shape)}, ${expected}`)
  }
  return { data, shape }
}

/**
 * The size in pixels that the latents are for.
 * @param scale pixels a latent
 * @param asked what the command line says; undefined sides follow the latents
 * @throws DitError 'bad-argument' where the two differ
 */
export function latentsSize(
  { shape }: Latents,
  scale: number,
  asked: { height?: number; width?: number },
): { height: number; width: number } {
  const size = { height: shape[2] * scale, width: shape[3] * scale }
  if ((asked.height ?? size.height) !== size.height || (asked.width ?? size.width) !== size.width) {
    throw new DitError(
      'bad-argument',
      `latents of shape ${shapeText(shape)} are for pictures of ${size.width}x${size.height} (width x height), ` +
        `asked for are ${asked.width ?? size.width}x${asked.height ?? size.height}`,
      'Leave --height and --width out, or give latents of that size.',
    )
  }
  return size
}
