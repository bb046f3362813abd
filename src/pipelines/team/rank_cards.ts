import { assignCards } from '../../runtime/platform/cards/assign_cards.ts'
import { cardName, pciAddress } from '../../runtime/platform/cards/card.ts'
import { listCards } from '../../runtime/platform/cards/list_cards.ts'
import type { PlatformOptions } from '../../runtime/platform/platform.ts'

/** What a rank opens, and in Node the environment that its process starts with. */
export interface RankCard {
  readonly platform?: PlatformOptions
  readonly env?: Readonly<Record<string, string>>
}

/**
 * What each rank opens: the cards of this machine in turn, or those of them that `platform.adapter` is a part of the name
 * of. Where there is one, each opens what `platform` says.
 *
 * @param onNote told which cards ranks are on, in a line
 */
export async function rankCards(
  ranks: number,
  platform: PlatformOptions = {},
  onNote?: (line: string) => void,
  list: typeof listCards = listCards,
): Promise<RankCard[]> {
  const { adapter = '', backend, card } = platform
  const same = Array<RankCard>(ranks).fill({ platform })
  if (ranks === 1 || card || pciAddress(adapter)) return same
  const { cards } = await list({ backend })
  const meant = cards.filter(({ name }) => name.toLowerCase().includes(adapter.toLowerCase()))
  if (meant.length === 0) return same // opening it tells what is wrong
  const { cards: dealt, note } = assignCards(ranks, meant)
  onNote?.(note ?? `${ranks} ranks on ${ranks} cards: ${dealt.map(cardName).join('; ')}`)
  if (meant.length === 1) return same
  return dealt.map((one) => ({ platform: { card: one }, env: one.select.env }))
}
