import { DitError } from '../../errors.ts'
import { type Backend, backendsOf, currentRuntime } from '../runtimes.ts'
import type { Card, CardReport } from './card.ts'
import { listNavigatorCards } from './navigator_cards.ts'

export interface CardOptions {
  /** By default the one that tells most cards apart, the runtime's own where they are equal. */
  backend?: Backend
  /** All devices that compute on the CPU too; by default one, where there is no GPU. */
  software?: boolean
}

/**
 * The devices of this machine that can be told apart: what ranks can be pinned to. Dawn is asked in short processes of
 * their own (Node and Deno, about 0.3 s), `navigator.gpu` in this one. Finds nothing where nothing answers; throws nothing.
 */
export async function listCards({ backend, software }: CardOptions = {}): Promise<CardReport> {
  const backends = backend ? [backend] : backendsOf(currentRuntime())
  let best: CardReport = { cards: [], problems: [] }
  for (const one of backends) {
    const report = await listOf(one, software)
    if (report.cards.length > best.cards.length || best.cards.length === 0) best = report
  }
  return best
}

async function listOf(backend: Backend, software = false): Promise<CardReport> {
  if (backend === 'navigator') return listNavigatorCards(undefined, software)
  return (await import('./dawn_cards.node.ts')).listDawnCards({ software })
}

/**
 * The card at a PCI address.
 *
 * @throws DitError 'no-adapter' where none of the cards is there, or none can be opened by its address
 */
export function cardAt(pci: string, { cards, problems }: CardReport): Card {
  const found = cards.find((card) => card.pci === pci)
  if (found) return found
  const known = cards.flatMap((card) => card.pci ?? [])
  const there = known.length > 0 ? `those that can be are at ${known.join(', ')}` : 'none tells its address'
  const why = problems.map(({ what }) => `; ${what}`).join('')
  const hint = problems[0]?.mend ?? 'webdit doctor lists the cards, and how each can be opened'
  throw new DitError('no-adapter', `no card can be opened at ${pci}: ${there}${why}`, hint)
}
