import { Device, type DeviceOptions } from '../../src/runtime/device.ts'
import { DitError } from '../../src/runtime/errors.ts'
import { type GpuPlatform, openPlatform } from '../../src/runtime/platform/platform.ts'

/** A small picture of the pipeline_pixart_sigma fixture: enough to go through every phase. */
export const CALL = {
  seed: 1,
  height: 32,
  width: 48,
  numInferenceSteps: 2,
  maxSequenceLength: 8,
  useResolutionBinning: false,
} as const

/** A failure ends a run in less than this, in ms, on slow machines too; what hangs takes longer. */
const SECONDS = 20_000

/**
 * Makes the n-th buffer from now on (from 1) too large for the device's memory: a real failure, which WebGPU reports
 * in its own way. Where the request is one that the device could serve, nothing fails.
 */
export function failAllocation(device: Device, n: number): { count: number; restore(): void } {
  const { gpu } = device
  const create = gpu.createBuffer
  const injected = {
    count: 0,
    restore: () => {
      gpu.createBuffer = create
    },
  }
  gpu.createBuffer = (descriptor) => {
    injected.count++
    if (injected.count !== n) return create.call(gpu, descriptor)
    // A mapped one needs memory of the host, which a request of that size would get: this is what Dawn throws without.
    if (descriptor.mappedAtCreation)
      throw new RangeError('createBuffer failed to allocate a buffer mapped at creation.')
    return create.call(gpu, { ...descriptor, size: gpu.limits.maxBufferSize })
  }
  return injected
}

/** Calls `before` ahead of each call of the device and its queue, or of those that are named. */
export function intercept(gpu: GPUDevice, before: () => void, only?: readonly string[]): void {
  for (const target of [gpu, gpu.queue]) {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(target))) {
      const method = (target as unknown as Record<string, unknown>)[name]
      if (typeof method !== 'function' || ['constructor', 'destroy', 'addEventListener'].includes(name)) continue
      if (only && !only.includes(name)) continue
      Object.defineProperty(target, name, {
        value: (...args: unknown[]) => {
          before()
          return method.apply(target, args)
        },
      })
    }
  }
}

/** Whether the device refuses a buffer of the greatest size: software drivers and cards with less memory do. */
export async function refusesGreatest({ gpu }: Device): Promise<boolean> {
  gpu.pushErrorScope('out-of-memory')
  const buffer = gpu.createBuffer({ size: gpu.limits.maxBufferSize, usage: GPUBufferUsage.STORAGE })
  const error = await gpu.popErrorScope()
  buffer.destroy()
  return error !== null
}

/** A real device whose `lost` can be made to tell another reason than that somebody destroyed it. */
export async function losableDevice(options: DeviceOptions = {}): Promise<{ device: Device; lose(): void }> {
  const platform = await openPlatform()
  let tell: (lost: GPUDeviceLostInfo) => void = () => {}
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    tell = resolve
  })
  const requestAdapter = async (o?: GPURequestAdapterOptions) => {
    const adapter = (await platform.gpu.requestAdapter(o)) as GPUAdapter
    const request = adapter.requestDevice.bind(adapter)
    const requestDevice = async (d?: GPUDeviceDescriptor) =>
      Object.defineProperty(await request(d), 'lost', { value: lost })
    return Object.defineProperty(adapter, 'requestDevice', { value: requestDevice })
  }
  const device = await Device.open({ ...platform, gpu: { requestAdapter } as unknown as GPU } as GpuPlatform, options)
  return {
    device,
    lose: () => {
      tell({ reason: 'unknown', message: 'the GPU was reset' } as GPUDeviceLostInfo)
      device.gpu.destroy()
    },
  }
}

/** What `work` fails with. @throws where it does not, where it takes too long, or where that is no DitError */
export async function failure(work: Promise<unknown>): Promise<DitError> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), SECONDS)
  })
  try {
    const value = await Promise.race([work, late]).catch((error: unknown) => {
      if (error instanceof DitError) return error
      throw error
    })
    if (value instanceof DitError) return value
    throw new Error('it did not fail')
  } finally {
    clearTimeout(timer)
  }
}
