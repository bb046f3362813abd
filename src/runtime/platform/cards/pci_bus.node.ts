import { join } from 'node:path'
import { list, readText } from '../system_files.node.ts'

/** A GPU on the PCI bus, whether or not a driver for Vulkan serves it. */
export interface BusCard {
  /** '0000:41:00.0' */
  readonly pci: string
  /** PCI ids, hexadecimal: '10de:2330'; absent where only NVIDIA's driver tells of it. */
  readonly id?: string
  /** As NVIDIA's driver calls it; others give none. */
  readonly name?: string
}

/** Makers of GPUs that compute. A server's screen adapter (ASPEED, Matrox) is a display controller too. */
const MAKERS = ['10de', '1002', '8086']
const DISPLAY_CONTROLLER = '0x03'

/**
 * The GPUs that Linux knows of.
 *
 * @param root folder with `proc` and `sys`
 */
export function cardsOnBus(root = '/'): BusCard[] {
  const found = new Map<string, BusCard>()
  const devices = join(root, 'sys/bus/pci/devices')
  for (const pci of list(devices)) {
    const read = (file: string) => readText(join(devices, pci, file)).trim()
    const [vendor, device] = ['vendor', 'device'].map((file) => read(file).replace(/^0x0*/, ''))
    if (!read('class').startsWith(DISPLAY_CONTROLLER) || !MAKERS.includes(vendor)) continue
    found.set(pci, { pci, id: `${vendor}:${device}` })
  }
  const nvidia = join(root, 'proc/driver/nvidia/gpus')
  for (const pci of list(nvidia)) {
    // "Model: \t\t NVIDIA H100 80GB HBM3"
    const name = /^Model:\s*(.*\S)\s*$/m.exec(readText(join(nvidia, pci, 'information')))?.[1]
    found.set(pci, { ...found.get(pci), pci, name })
  }
  return [...found.values()].sort((a, b) => (a.pci < b.pci ? -1 : 1))
}
