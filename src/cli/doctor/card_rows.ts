import { type Card, cardName } from '../../runtime/platform/cards/card.ts'

export type Row = readonly [name: string, value: string]

/** The cards, how a command is told to use each, and what ranks can do with them. */
export function cardRows(cards: readonly Card[]): Row[] {
  if (cards.length === 0) return []
  return [...cards.map((card, i) => [`card ${i + 1}`, `${cardName(card)} (${address(card)})`] as const), ranks(cards)]
}

function address({ how, pci, select }: Card): string {
  if (how === 'device-select') return `--adapter ${pci}`
  if (how === 'name') return `--adapter ${JSON.stringify(select.adapter)}`
  if (how === 'power-preference') return `power preference ${select.powerPreference}`
  return 'the only one'
}

function ranks(cards: readonly Card[]): Row {
  const equal = cards.filter(({ alike }) => alike > 1).map(({ alike, name }) => `the ${alike} equal cards (${name})`)
  if (equal.length > 0) return ['ranks', `cannot tell ${equal.join(' and ')} apart here, and share one of them`]
  if (cards.length === 1) return ['ranks', 'share this device']
  return ['ranks', `can be pinned to each of these ${cards.length} cards`]
}
