import { Device } from '../../../src/runtime/device.ts'
import type { Card } from '../../../src/runtime/platform/cards/card.ts'
import { listCards } from '../../../src/runtime/platform/cards/list_cards.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'

/** The cards of this page, and the names of the devices that they open. */
export async function openCards(): Promise<{ cards: readonly Card[]; names: string[] }> {
  const { cards } = await listCards()
  const names: string[] = []
  for (const card of cards) {
    const device = await Device.open(await openPlatform({ card }))
    names.push(device.name)
    device.close()
  }
  return { cards, names }
}

Object.assign(globalThis, { openCards })
