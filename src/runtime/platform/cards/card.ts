import { type AdapterInfo, adapterName } from '../../adapter.ts'
import type { Backend } from '../platform.ts'

/**
 * A device of this machine that a rank can be pinned to. A plain object: it crosses threads and processes, and
 * `openPlatform({ card })` opens it there.
 */
export interface Card {
  /** As its driver calls it: 'NVIDIA H100 80GB HBM3'. */
  readonly name: string
  /** Its place on the PCI bus, '0000:41:00.0', where that is known. */
  readonly pci?: string
  /** It computes on the CPU. */
  readonly software: boolean
  /** How many cards of this name there are that cannot be told apart: all ranks pinned to it get the same one. Else 1. */
  readonly alike: number
  /**
   * What it is told apart by: its PCI address and Mesa's device-select layer, its name, WebGPU's power preference; or
   * nothing, being the only one.
   */
  readonly how: 'device-select' | 'name' | 'power-preference' | 'only'
  readonly select: CardSelection
}

/** What opens a card and no other. */
export interface CardSelection {
  readonly backend: Backend
  /**
   * Environment that Vulkan must find when it is asked for devices. A process that starts with it needs nothing else;
   * `openPlatform` sets it for that moment where the process has not got it.
   */
  readonly env?: Readonly<Record<string, string>>
  /** Name, of which no card before it in the backend's list has a part. */
  readonly adapter?: string
  readonly powerPreference?: GPUPowerPreference
}

/** The cards that can be told apart, the one that is used by default first, and what keeps others from it. */
export interface CardReport {
  readonly cards: readonly Card[]
  readonly problems: readonly { readonly what: string; readonly mend: string }[]
}

/** 'NVIDIA H100 80GB HBM3 at 0000:41:00.0'; '4 x NVIDIA H100 80GB HBM3' for some that cannot be told apart. */
export const cardName = ({ name, pci, alike }: Pick<Card, 'name' | 'pci' | 'alike'>): string =>
  `${alike > 1 ? `${alike} x ` : ''}${name}${pci ? ` at ${pci}` : ''}`

const ADDRESS = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i

/** '0000:41:00.0' for that or '41:00.0'; undefined for what is no PCI address. */
export function pciAddress(text: string): string | undefined {
  const found = ADDRESS.exec(text.trim())
  return found ? `${found[1] ?? '0000'}:${found[2]}`.toLowerCase() : undefined
}

/** Dawn gives names in small letters with dashes: 'nvidia-h100-80gb-hbm3'. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()

/** Whether an adapter has the card's name. Of equal cards all have. */
export const isNamedAs = ({ name }: Pick<Card, 'name'>, info: AdapterInfo): boolean =>
  [info.device, adapterName(info)].some((text) => plain(text) === plain(name))
