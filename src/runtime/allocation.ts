import { DitError } from './errors.ts'

/** A buffer that is asked for. WebGPU gives it at once, and tells later whether there was memory for it. */
export interface Allocation {
  readonly buffer: GPUBuffer
  /** Whether the device could not hold it: then nothing can be done with the buffer. */
  readonly failed: Promise<boolean>
}

/** Creates a buffer that may fail without harm to what else runs. @throws DitError 'out-of-memory' of the host's */
export function createBuffer(gpu: GPUDevice, descriptor: GPUBufferDescriptor): Allocation {
  gpu.pushErrorScope('out-of-memory')
  try {
    const buffer = gpu.createBuffer(descriptor)
    return { buffer, failed: popped(gpu) }
  } catch (cause) {
    void popped(gpu)
    // For a buffer that is mapped at its creation the host needs the memory as well: a RangeError says that it has none.
    if (cause instanceof RangeError) throw outOfMemory(descriptor.size, descriptor.label, cause)
    throw cause
  }
}

/** As createBuffer, waiting for the news. @throws DitError 'out-of-memory' */
export async function allocate(gpu: GPUDevice, descriptor: GPUBufferDescriptor): Promise<GPUBuffer> {
  const { buffer, failed } = createBuffer(gpu, descriptor)
  if (!(await failed)) return buffer
  buffer.destroy()
  throw outOfMemory(descriptor.size, descriptor.label)
}

// A lost device has no scopes: that it is lost is told elsewhere.
const popped = (gpu: GPUDevice): Promise<boolean> =>
  gpu.popErrorScope().then(
    (error) => error !== null,
    () => false,
  )

export function outOfMemory(bytes: number, label: string | undefined, cause?: unknown): DitError {
  return new DitError(
    'out-of-memory',
    `the device has no room for ${megabytes(bytes)}${label ? ` of ${label}` : ''}`,
    'use a smaller model, height, width or batch, or close what else uses the device',
    { cause },
  )
}

export const megabytes = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`
