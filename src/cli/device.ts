import { freemem } from 'node:os'
import { isSoftware } from '../runtime/adapter.ts'
import { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { LINUX_HINT } from '../runtime/platform/dawn.node.ts'
import { type GpuPlatform, openPlatform, requestAdapter } from '../runtime/platform/platform.ts'
import type { VulkanChoice } from '../runtime/platform/software_vulkan.node.ts'
import type { CliIo, DeviceChoice, OpenedDevice } from './command.ts'

/** What a software device may take of the free memory by default: the rest is for the host's side of the work. */
const SOFTWARE_SHARE = 0.75

/**
 * Opens the device that a command computes on, and says which it is.
 * @throws DitError 'no-adapter'
 */
export async function openDevice(
  choice: DeviceChoice,
  io: Pick<CliIo, 'note'>,
  vulkan?: VulkanChoice,
): Promise<OpenedDevice> {
  // Dawn would say the same by itself, in many lines.
  if (vulkan?.kind === 'none') throw new DitError('no-adapter', vulkan.why, LINUX_HINT)
  if (vulkan?.kind === 'lavapipe' || vulkan?.kind === 'swiftshader') io.note(vulkan.why)
  const { adapter, backend = adapter ? undefined : vulkan?.backend } = choice
  const platform = await openPlatform({ adapter, backend })
  try {
    const memory = choice.memory ?? (await defaultMemory(platform))
    const device = await Device.open(platform, { memory, tier: choice.tier })
    io.note(`device: ${device.name} (${platform.backend}, tier ${device.tier})`)
    return {
      device,
      close() {
        device.close()
        platform.close()
      },
    }
  } catch (error) {
    platform.close()
    throw error
  }
}

/** Bytes. A GPU says itself when it is full; a driver that computes on the CPU takes what the machine needs to live. */
async function defaultMemory(platform: GpuPlatform): Promise<number | undefined> {
  const adapter = await requestAdapter(platform)
  return isSoftware(adapter.info) ? Math.floor(availableMemory() * SOFTWARE_SHARE) : undefined
}

/** Free bytes for this process, within the limits of its container. */
export function availableMemory(): number {
  return process.availableMemory?.() ?? freemem()
}
