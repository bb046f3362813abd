/**
 * What Mesa's Vulkan layer `device_select` says and is told (src/vulkan/device-select-layer in Mesa). It stands between
 * Vulkan's loader and the drivers of all vendors, and comes with Debian's mesa-vulkan-drivers.
 */

/** A device of its list. */
export interface ListedDevice {
  readonly name: string
  /** PCI ids, hexadecimal: '10de:2330'. */
  readonly id: string
  readonly kind: 'discrete GPU' | 'integrated GPU' | 'virtual GPU' | 'CPU' | 'other'
  /** '0000:41:00.0'; absent for what is on no bus, or where Vulkan does not tell it. */
  readonly pci?: string
}

/** In the environment: print the list when Vulkan is asked for devices, and end the process. */
export const LIST_DEVICES = { MESA_VK_DEVICE_SELECT: 'list' }

/** In the environment: say on which rule a device is chosen (since Mesa 23.1). */
export const TELL_CHOICE = { DRI_PRIME_DEBUG: '1' }

/** Environment in which Vulkan shows that card alone (since Mesa 23.1; before, the layer chooses another one). */
export const showOnly = (pci: string): Record<string, string> => ({
  DRI_PRIME: `pci-${pci.replace(/[:.]/g, '_')}!`,
  MESA_VK_DEVICE_SELECT: '', // would count more
})

const HEAD = 'selectable devices:'
const LINE =
  /^ *GPU \d+: ([0-9a-f]+:[0-9a-f]+) "(.*)" (discrete GPU|integrated GPU|virtual GPU|CPU|other)(?: ([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]))?$/

/** What the layer writes for a device that tells no address, where another one does. */
const NO_ADDRESS = '0000:00:00.0'

/** The devices of the first list in what a program wrote on stderr, by their numbers there; undefined: there is none. */
export function parseListing(stderr: string): ListedDevice[] | undefined {
  const lines = stderr.split(/\r?\n/)
  const head = lines.indexOf(HEAD)
  if (head < 0) return undefined
  const devices: ListedDevice[] = []
  for (const line of lines.slice(head + 1)) {
    if (line === HEAD) break // another instance's
    const found = LINE.exec(line) // a driver may write in between
    if (!found) continue
    const [, id, name, kind, pci] = found
    devices.push({ name, id, kind: kind as ListedDevice['kind'], ...(pci && pci !== NO_ADDRESS ? { pci } : {}) })
  }
  return devices
}

/** The address that the layer says it chose by DRI_PRIME; undefined where it says nothing of the kind. */
export function parseChoice(stderr: string): string | undefined {
  const found = /^device-select: \S*dri_prime_tag\S* selected (\d+)$/m.exec(stderr)
  return found ? parseListing(stderr)?.[Number(found[1])]?.pci : undefined
}
