import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { assignCards } from '../../../../src/runtime/platform/cards/assign_cards.ts'
import { type Card, cardName, isNamedAs, pciAddress } from '../../../../src/runtime/platform/cards/card.ts'
import { parseNames } from '../../../../src/runtime/platform/cards/dawn_names.node.ts'
import { cardAt } from '../../../../src/runtime/platform/cards/list_cards.ts'
import { listNavigatorCards } from '../../../../src/runtime/platform/cards/navigator_cards.ts'
import { cardsOnBus } from '../../../../src/runtime/platform/cards/pci_bus.node.ts'

const at = (bus: string): Card => {
  const select = { backend: 'dawn', env: { DRI_PRIME: `pci-0000_${bus}_00_0!` } } as const
  return { name: 'Alpha', pci: `0000:${bus}:00.0`, software: false, alike: 1, how: 'device-select', select }
}

describe('assignCards', () => {
  it('deals cards round robin, and says which ranks share one', () => {
    const cards = ['41', '61', '81'].map(at)
    expect(assignCards(2, cards)).toEqual({ cards: cards.slice(0, 2) })
    expect(assignCards(3, cards)).toEqual({ cards })
    const { cards: dealt, note } = assignCards(5, cards)
    expect(dealt.map(({ pci }) => pci?.slice(5, 7))).toEqual(['41', '61', '81', '41', '61'])
    expect(note).toBe(
      '5 ranks share 3 devices: Alpha at 0000:41:00.0 (ranks 0, 3); Alpha at 0000:61:00.0 (ranks 1, 4); ' +
        'Alpha at 0000:81:00.0 (rank 2)',
    )
    expect(assignCards(4, [at('41')]).note).toBe('4 ranks share 1 device: Alpha at 0000:41:00.0')
    expect(() => assignCards(2, [])).toThrow(/no card/)
  })

  it('takes cards that cannot be told apart for one', () => {
    const alike: Card = { ...at('41'), pci: undefined, alike: 4, how: 'name' }
    expect(assignCards(4, [alike]).note).toBe('4 ranks share 1 device: one of 4 x Alpha')
  })
})

describe('a card', () => {
  it('is called by its name and address', () => {
    expect(cardName(at('c1'))).toBe('Alpha at 0000:c1:00.0')
    expect(pciAddress('0000:C1:00.0')).toBe('0000:c1:00.0')
    expect(pciAddress('41:00.1')).toBe('0000:41:00.1')
    for (const name of ['', 'NVIDIA', '41', '41:00', '0000:41:00.8', 'x41:00.0'])
      expect(pciAddress(name)).toBeUndefined()
  })

  it('is found at its address, or the error tells where cards are and why there are no more', () => {
    const cards = [at('41'), at('61')]
    expect(cardAt('0000:61:00.0', { cards, problems: [] })).toBe(cards[1])
    const problems = [{ what: 'a layer', mend: 'apt-get install it' }]
    expect(() => cardAt('0000:81:00.0', { cards, problems })).toThrow(
      expect.objectContaining({
        kind: 'no-adapter',
        message: expect.stringMatching(/at 0000:81:00\.0: .* 0000:41:00\.0, 0000:61:00\.0; a layer$/),
        hint: 'apt-get install it',
      }),
    )
  })

  it('has the name of its adapter as Dawn writes it, and no part of another name', () => {
    const info = (device: string) => ({
      vendor: '',
      architecture: '',
      device,
      description: '',
      isFallbackAdapter: false,
    })
    const card = { name: 'NVIDIA GeForce RTX 3090' }
    expect(isNamedAs(card, info('nvidia-geforce-rtx-3090'))).toBe(true)
    expect(isNamedAs(card, info('nvidia-geforce-rtx-3090-ti'))).toBe(false)
    expect(isNamedAs({ name: 'SwiftShader Device (Subzero)' }, info('swiftshader-device-subzero-'))).toBe(true)
  })
})

it('reads the names of Dawn’s adapters, of one graphics API', () => {
  const said = (lines: string[]) => ["no adapter with backend 'd3d12' and name 'x' found", ...lines].join('\n')
  const line = (api: string, name: string) => ` * backend: '${api}', name: '${name}'`
  expect(parseNames(said([line('vulkan', 'A'), line('vulkan', 'A'), line('vulkan', "Bob's")]))).toEqual([
    'A',
    'A',
    "Bob's",
  ])
  expect(parseNames(said([line('d3d11', 'A'), line('d3d12', 'A'), line('d3d12', 'B')]))).toEqual(['A', 'B'])
  expect(parseNames('')).toEqual([])
})

it('finds GPUs on the bus, with NVIDIA’s names, and no screen adapters of servers', () => {
  const root = mkdtempSync(join(tmpdir(), 'webdit-bus-'))
  const write = (file: string, text: string) => {
    mkdirSync(join(root, file, '..'), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  const device = (pci: string, ids: Record<string, string>) => {
    for (const [name, id] of Object.entries(ids)) write(`sys/bus/pci/devices/${pci}/${name}`, `${id}\n`)
  }
  device('0000:c1:00.0', { class: '0x030200', vendor: '0x10de', device: '0x2330' })
  device('0000:41:00.0', { class: '0x030000', vendor: '0x1002', device: '0x0744' })
  device('0000:03:00.0', { class: '0x030000', vendor: '0x1a03', device: '0x2000' }) // ASPEED
  device('0000:c1:00.1', { class: '0x040300', vendor: '0x10de', device: '0x22bb' }) // its sound
  write('proc/driver/nvidia/gpus/0000:c1:00.0/information', 'Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 16\n')
  expect(cardsOnBus(root)).toEqual([
    { pci: '0000:41:00.0', id: '1002:744' },
    { pci: '0000:c1:00.0', id: '10de:2330', name: 'NVIDIA H100 80GB HBM3' },
  ])
  rmSync(root, { recursive: true })
  expect(cardsOnBus(root)).toEqual([])
})

describe('the cards of navigator.gpu', () => {
  const info = (device: string) => ({
    vendor: 'v',
    architecture: device === 'swiftshader' ? device : '',
    device,
    description: '',
    isFallbackAdapter: false,
  })
  const gpu = (fast: string | undefined, thrifty: string | undefined) => ({
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const device = options?.powerPreference === 'low-power' ? thrifty : fast
      if (device === 'broken') throw new Error('lost')
      return (device ? { info: info(device) } : null) as GPUAdapter | null
    },
  })

  it('are two where the preferences give two, the fast one first', async () => {
    const { cards } = await listNavigatorCards(gpu('fast', 'thrifty'))
    expect(cards.map(({ name, how, select }) => [name, how, select.powerPreference])).toEqual([
      ['fast', 'power-preference', 'high-performance'],
      ['thrifty', 'power-preference', 'low-power'],
    ])
  })

  it('are one where both give the same, or one alone answers, and none where none does', async () => {
    for (const one of [gpu('fast', 'fast'), gpu('fast', undefined), gpu('broken', 'fast')]) {
      const { cards } = await listNavigatorCards(one)
      expect(cards).toMatchObject([{ name: 'fast', how: 'only', select: { backend: 'navigator' } }])
    }
    for (const none of [gpu(undefined, undefined), gpu('broken', 'broken'), undefined])
      expect(await listNavigatorCards(none)).toEqual({ cards: [], problems: [] })
  })

  it('count software where there is nothing else, or where it is asked for', async () => {
    const mixed = gpu('fast', 'swiftshader')
    expect((await listNavigatorCards(mixed)).cards).toMatchObject([{ name: 'fast' }])
    expect((await listNavigatorCards(mixed, true)).cards.length).toBe(2)
    expect((await listNavigatorCards(gpu('swiftshader', 'swiftshader'))).cards).toMatchObject([{ software: true }])
  })
})
