import { isSoftware } from '../../adapter.ts'
import { probeVulkan } from '../vulkan_probe.node.ts'
import { type Card, type CardReport, isNamedAs } from './card.ts'
import { askDawn, parseNames } from './dawn_names.node.ts'
import { LIST_DEVICES, type ListedDevice, parseChoice, parseListing, showOnly, TELL_CHOICE } from './device_select.ts'
import { type BusCard, cardsOnBus } from './pci_bus.node.ts'

export interface DawnCardOptions {
  software?: boolean
  env?: NodeJS.ProcessEnv
  /** For each process that looks, in ms. Eight cards without a persistence daemon take seconds to wake. */
  timeout?: number
  bus?: readonly BusCard[]
}

interface Found {
  name: string
  pci?: string
  software: boolean
}

const TIMEOUT_MS = 20_000
/** The first is preferred. */
const KINDS: readonly ListedDevice['kind'][] = ['discrete GPU', 'virtual GPU', 'other', 'integrated GPU', 'CPU']

/** The cards that npm `webgpu` opens: told apart by name, or on Linux by PCI address through Mesa's layer. */
export async function listDawnCards({
  software = false,
  env = process.env,
  timeout = TIMEOUT_MS,
  bus = process.platform === 'linux' ? cardsOnBus() : [],
}: DawnCardOptions = {}): Promise<CardReport> {
  const linux = process.platform === 'linux'
  const [all, layer] = await Promise.all([
    askDawn(env, timeout),
    linux ? askDawn({ ...env, ...LIST_DEVICES }, timeout) : undefined,
  ])
  const names = parseNames(all.stdout)
  if (names.length === 0) return { cards: [], problems: all.ended.startsWith('exit code') ? [] : [noAnswer(all.ended)] }
  const listed = parseListing(layer?.stderr ?? '')
  const found = merge(names, listed, bus)
  const hardware = found.filter((one) => !one.software)
  // Drivers that compute on the CPU share it: the one that Dawn prefers is enough.
  const stopgap = found.filter(({ name }) => name === names[0]).slice(0, 1)
  const used = software ? found : hardware.length > 0 ? hardware : stopgap

  const cards: Card[] = []
  const problems: CardReport['problems'][number][] = []
  for (const name of new Set(used.map((one) => one.name))) {
    const equal = used.filter((one) => one.name === name)
    const one = { ...equal[0], alike: 1 }
    const named = { backend: 'dawn', adapter: name } as const
    // Dawn takes the first whose name has the wanted one in it.
    const first = names.find((other) => other.includes(name)) === name
    if (equal.length === 1 && (first || found.length === 1)) {
      const only = found.length === 1
      cards.push({ ...one, how: only ? 'only' : 'name', select: only ? { backend: 'dawn' } : named })
      continue
    }
    const pinned = await Promise.all(equal.map((device) => pinnedByAddress(device, env, timeout)))
    if (pinned.every((card) => card !== undefined)) {
      cards.push(...pinned)
      continue
    }
    if (first) cards.push({ name, software: one.software, alike: equal.length, how: 'name', select: named })
    problems.push(cannotTell(name, equal, listed, env, layer?.ended))
  }
  if (listed?.some(({ pci }) => pci)) problems.push(...unseen(listed, bus))
  return { cards, problems }
}

/** The devices that Dawn opens (it refuses some drivers), with what the layer and the bus know of them. */
function merge(
  names: readonly string[],
  listed: readonly ListedDevice[] | undefined,
  bus: readonly BusCard[],
): Found[] {
  if (listed && names.every((name) => listed.some((device) => device.name === name))) {
    return listed
      .filter(({ name }) => names.includes(name))
      .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
      .map(({ name, pci, kind }) => ({ name, ...(pci ? { pci } : {}), software: kind === 'CPU' }))
  }
  return names.map((name) => {
    const here = bus.filter((card) => card.name === name)
    const info = { vendor: '', architecture: '', device: name, description: name, isFallbackAdapter: false }
    const known = here.length === 1 && names.filter((other) => other === name).length === 1
    return { name, ...(known ? { pci: here[0].pci } : {}), software: isSoftware(info) }
  })
}

/** The card, if Dawn opens it in an environment that names its address, and the layer says that it is that one. */
async function pinnedByAddress(
  { name, pci, software }: Found,
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<Card | undefined> {
  if (!pci) return undefined
  const only = showOnly(pci)
  const probe = await probeVulkan('dawn', { ...env, ...only, ...TELL_CHOICE }, timeout)
  if (!probe.adapter || !isNamedAs({ name }, probe.adapter.info) || parseChoice(probe.stderr) !== pci) return undefined
  return { name, pci, software, alike: 1, how: 'device-select', select: { backend: 'dawn', env: only } }
}

const noAnswer = (ended: string) => ({ what: `the list of cards: ${ended}`, mend: 'update the graphics driver' })

/** Why equal cards cannot be told apart here, and what changes that. */
function cannotTell(
  name: string,
  equal: readonly Found[],
  listed: readonly ListedDevice[] | undefined,
  { NODEVICE_SELECT }: NodeJS.ProcessEnv,
  ended: string | undefined,
): CardReport['problems'][number] {
  const what = (why: string) =>
    equal.length > 1
      ? `a way to tell ${equal.length} equal cards apart (${name}): ${why}`
      : `a way to open ${name}, whose name is a part of another's: ${why}`
  const separate = 'or start each process where it sees one card alone, as in a container'
  if (process.platform !== 'linux') return { what: what('this system names no addresses'), mend: separate }
  if (NODEVICE_SELECT !== undefined) return { what: what('NODEVICE_SELECT is set'), mend: 'unset NODEVICE_SELECT' }
  const install = `apt-get install mesa-vulkan-drivers (Mesa 23.1 or later; it chooses among cards of all vendors), ${separate}`
  if (!listed) {
    const silent = ended?.startsWith('exit code') === false ? `, ${ended}` : ''
    return { what: what(`Mesa's device-select layer says nothing${silent}`), mend: install }
  }
  if (equal.some(({ pci }) => !pci)) return { what: what('their driver tells no PCI address'), mend: separate }
  return { what: what("Mesa's device-select layer does not choose by address"), mend: install }
}

/** Cards on the bus that Vulkan does not show. Those of the layer's list may be shown without an address: then none. */
function unseen(listed: readonly ListedDevice[], bus: readonly BusCard[]): CardReport['problems'] {
  return bus
    .filter(({ pci, id }) => !listed.some((device) => device.pci === pci || (!device.pci && device.id === id)))
    .map(({ pci, name, id }) => ({
      what: `the card at ${pci} (${name ?? id}): it is on the bus, and Vulkan does not show it`,
      mend: "install its Vulkan driver; in a container, give it that card's device files",
    }))
}
