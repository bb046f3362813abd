import { describe, expect, it } from 'vitest'
import { parseChoice, parseListing, showOnly } from '../../../../src/runtime/platform/cards/device_select.ts'

// As print_gpu of src/vulkan/device-select-layer/device_select_layer.c writes it: "  GPU %d: %x:%x \"%s\" %s" and, where
// a device has VK_EXT_pci_bus_info, " %04x:%02x:%02x.%x" for all of them.
const NODE = `error: XDG_RUNTIME_DIR is invalid or not set in the environment.
selectable devices:
  GPU 0: 10de:2330 "NVIDIA H100 80GB HBM3" discrete GPU 0000:0a:00.0
  GPU 1: 10de:2330 "NVIDIA H100 80GB HBM3" discrete GPU 0000:41:00.0
WARNING: a driver writes here too
  GPU 2: 10de:2330 "NVIDIA H100 80GB HBM3" discrete GPU 0000:c1:00.0
  GPU 3: 10de:2330 "NVIDIA H100 80GB HBM3" discrete GPU 10000:e1:00.0
  GPU 4: 8086:a780 "Intel(R) UHD "Graphics" 770 (RPL-S)" integrated GPU 0000:00:02.0
  GPU 5: 10005:0 "llvmpipe (LLVM 15.0.6, 256 bits)" CPU 0000:00:00.0
`

describe('the list of the device-select layer', () => {
  it('tells equal cards apart by address, in the order of their numbers', () => {
    const devices = parseListing(NODE)!
    expect(devices.map(({ pci }) => pci)).toEqual([
      '0000:0a:00.0',
      '0000:41:00.0',
      '0000:c1:00.0',
      '10000:e1:00.0',
      '0000:00:02.0',
      undefined, // what has no place on the bus is written with zeros
    ])
    expect(devices[1]).toEqual({
      name: 'NVIDIA H100 80GB HBM3',
      id: '10de:2330',
      kind: 'discrete GPU',
      pci: '0000:41:00.0',
    })
    expect(devices[4]).toMatchObject({ name: 'Intel(R) UHD "Graphics" 770 (RPL-S)', kind: 'integrated GPU' })
    expect(devices[5]).toEqual({ name: 'llvmpipe (LLVM 15.0.6, 256 bits)', id: '10005:0', kind: 'CPU' })
  })

  it('has no addresses where no driver tells them, and knows an empty list from none', () => {
    const listed = parseListing('selectable devices:\r\n  GPU 0: 1ae0:c0de "SwiftShader Device (Subzero)" CPU\r\n')
    expect(listed).toEqual([{ name: 'SwiftShader Device (Subzero)', id: '1ae0:c0de', kind: 'CPU' }])
    expect(parseListing('selectable devices:\n')).toEqual([])
    for (const strange of ['', '\0\uFFFD', 'GPU 0: 10de:2330 "A" discrete GPU', 'no selectable devices: here'])
      expect(parseListing(strange)).toBeUndefined()
  })

  it('passes over what is no device', () => {
    const strange =
      'selectable devices:\n  GPU x: 10de:2330 "A" discrete GPU\n  GPU 1: 10de "B" discrete GPU\n  GPU 2: '
    expect(parseListing(strange)).toEqual([])
  })

  it('tells which device was chosen by DRI_PRIME, of the first list', () => {
    const chosen = `${NODE}device-select: device_select_find_dri_prime_tag_default selected 2\n`
    expect(parseChoice(chosen)).toBe('0000:c1:00.0')
    expect(parseChoice(chosen + chosen.replace('selected 2', 'selected 1'))).toBe('0000:c1:00.0')
    expect(parseChoice(NODE)).toBeUndefined()
    expect(parseChoice(`${NODE}device-select: device_select_find_non_cpu selected 2\n`)).toBeUndefined()
    expect(parseChoice(`${NODE}device-select: device_select_find_dri_prime_tag_default selected 9\n`)).toBeUndefined()
  })

  it('is asked for a card by DRI_PRIME’s tag', () => {
    expect(showOnly('0000:41:00.0').DRI_PRIME).toBe('pci-0000_41_00_0!')
  })
})
