import { DitError } from '../../errors.ts'
import { type Card, cardName } from './card.ts'

export interface CardAssignment {
  /** Rank r computes on `cards[r]`. */
  readonly cards: readonly Card[]
  /** Where ranks share a device: which do, in a line. */
  readonly note?: string
}

/**
 * Deals the cards to the ranks, round robin: neighbours get different ones.
 *
 * @throws DitError 'no-adapter' for no cards
 */
export function assignCards(ranks: number, cards: readonly Card[]): CardAssignment {
  if (cards.length === 0) throw new DitError('no-adapter', 'there is no card to pin ranks to', 'run `webdit doctor`')
  const dealt = Array.from({ length: ranks }, (_, rank) => cards[rank % cards.length])
  if (ranks <= cards.length) return { cards: dealt }
  const many = cards.length > 1
  const names = cards.map((card, i) => {
    const its = dealt.flatMap((one, rank) => (one === cards[i] ? [rank] : []))
    const whose = many ? ` (${its.length > 1 ? 'ranks' : 'rank'} ${its.join(', ')})` : ''
    return `${card.alike > 1 ? 'one of ' : ''}${cardName(card)}${whose}`
  })
  return { cards: dealt, note: `${ranks} ranks share ${cards.length} device${many ? 's' : ''}: ${names.join('; ')}` }
}
