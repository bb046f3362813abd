import { describe, expect, it } from 'vitest'
import { rankCards } from '../../src/pipelines/team/rank_cards.ts'
import type { Card } from '../../src/runtime/platform/cards/card.ts'

const cardAt = (name: string, bus: string): Card => ({
  ...{ name, pci: `0000:${bus}:00.0`, software: false, alike: 1, how: 'device-select' },
  select: { backend: 'dawn', env: { DRI_PRIME: `pci-0000_${bus}_00_0!` } },
})
const CARDS = [cardAt('Alpha', '41'), cardAt('Alpha', '61'), cardAt('Beta', '81')]
const machine = (cards: readonly Card[]) => async () => ({ cards, problems: [] })

/** The cards dealt and the line said. */
async function deal(ranks: number, platform = {}, cards: readonly Card[] = CARDS) {
  const notes: string[] = []
  const dealt = await rankCards(ranks, platform, (line) => notes.push(line), machine(cards))
  return { dealt, notes }
}

describe('rankCards', () => {
  it('deals the cards, with the environment of each, and says which', async () => {
    const { dealt, notes } = await deal(2)
    expect(dealt).toEqual(CARDS.slice(0, 2).map((card) => ({ platform: { card }, env: card.select.env })))
    expect(notes).toEqual(['2 ranks on 2 cards: Alpha at 0000:41:00.0; Alpha at 0000:61:00.0'])
    const more = await deal(4)
    expect(more.dealt.map(({ platform }) => platform?.card?.pci?.slice(5, 7))).toEqual(['41', '61', '81', '41'])
    expect(more.notes).toEqual([expect.stringMatching(/^4 ranks share 3 devices: /)])
  })

  it('deals those that have the wanted name', async () => {
    const { dealt } = await deal(3, { adapter: 'alpha' })
    expect(dealt.map(({ platform }) => platform?.card)).toEqual([CARDS[0], CARDS[1], CARDS[0]])
  })

  it('leaves the choice to each rank where there is one card, or one is asked for, or none is of that name', async () => {
    const one = await deal(2, { backend: 'dawn' }, CARDS.slice(2))
    expect(one).toEqual({
      dealt: [{ platform: { backend: 'dawn' } }, { platform: { backend: 'dawn' } }],
      notes: ['2 ranks share 1 device: Beta at 0000:81:00.0'],
    })
    for (const platform of [{ adapter: '61:00.0' }, { adapter: 'Gamma' }, { card: CARDS[1] }])
      expect(await deal(2, platform)).toEqual({ dealt: [{ platform }, { platform }], notes: [] })
    expect(await deal(1)).toEqual({ dealt: [{ platform: {} }], notes: [] })
  })
})
