import { Device } from '../../../src/runtime/device.ts'
import { paperPlatform } from '../../../src/runtime/paper_device.ts'

/**
 * A device of that tier; software devices have no float16. On paper nothing is computed, and what ranks send each other
 * has its real sizes.
 */
export const onPaper = (tier: 'f32' | 'f16'): Promise<Device> =>
  Device.open(
    paperPlatform({
      info: { vendor: '', architecture: '', device: 'paper', description: '', isFallbackAdapter: false },
      features: tier === 'f16' ? ['shader-f16'] : [],
      limits: { maxBufferSize: 1 << 28, maxStorageBufferBindingSize: 1 << 28 },
    }),
  )
