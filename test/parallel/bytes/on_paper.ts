import { Device } from '../../../src/runtime/device.ts'
import { paperPlatform } from '../../../src/runtime/paper_device.ts'

/**
 * A device with float16, which software devices lack. On paper nothing is computed, and what ranks send each other has its
 * real sizes.
 */
export const float16OnPaper = (): Promise<Device> =>
  Device.open(
    paperPlatform({
      info: { vendor: '', architecture: '', device: 'paper', description: '', isFallbackAdapter: false },
      features: ['shader-f16'],
      limits: { maxBufferSize: 1 << 28, maxStorageBufferBindingSize: 1 << 28 },
    }),
  )
