import type { PlainLora } from '../../pipelines/loras/lora_options.ts'
import { type ModelFacts, modelFacts } from '../../pipelines/model_facts.ts'
import { DitError } from '../../runtime/errors.ts'
import { memorySource } from '../../runtime/weights/memory_source.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { keysOf } from '../keys.ts'
import type { NodeInfo } from '../node/node_info.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'

/** What callers need to know of a model that nodes have: they check requests by it, and need no copy themselves. */
export interface ModelCard {
  /** What people call it. */
  readonly name: string
  readonly digest: string
  /** How nodes load it, for those who look at a picture later. */
  readonly weights?: string
  readonly loras?: readonly PlainLora[]
  /** Configuration files by their paths. */
  readonly files: Readonly<Record<string, string>>
}

/** A model of a cluster, as a caller has it. */
export interface ClusterModel extends ModelCard {
  readonly facts: ModelFacts
}

/** What modelFacts reads. */
const FACTS = ['model_index.json', 'transformer/config.json', 'vae/config.json', 'scheduler/scheduler_config.json']

export async function cardOf(source: Source, about: Omit<ModelCard, 'files'>): Promise<ModelCard> {
  const files: Record<string, string> = {}
  for (const path of FACTS) if (await source.exists(path)) files[path] = await source.readText(path)
  return { ...about, files }
}

/** Leaves the card where callers find it. */
export async function leaveCard({ nc, models }: Rooms, card: ModelCard): Promise<void> {
  await untilAnswered(nc, 'the model card', () => models.put(card.digest, JSON.stringify(card)))
}

/**
 * The model that a caller means: by its name, or the only one that there is. One that no node has at the moment is found as
 * well, if a node has had it before.
 *
 * @param nodes those that are there
 * @throws DitError 'not-found', naming those that there are
 */
export async function findModel(
  rooms: Rooms,
  nodes: readonly NodeInfo[],
  name: string | undefined,
): Promise<ClusterModel> {
  const { nc, models, names } = rooms
  const alive = new Set(nodes.map(({ model }) => model.digest))
  const cards: ModelCard[] = []
  for (const digest of await keysOf(rooms, names.buckets.models)) {
    const entry = await untilAnswered(nc, 'a model', () => models.get(digest))
    if (entry && entry.operation === 'PUT') cards.push(entry.json<ModelCard>())
  }
  const named = cards.filter((card) => name === undefined || card.name === name || card.digest === name)
  const there = named.filter(({ digest }) => alive.has(digest))
  const found = there.length > 0 ? there : named
  if (found.length === 1) return { ...found[0], facts: await factsOf(found[0]) }
  const listed = (some: readonly ModelCard[]) =>
    some
      .map((card) => `${card.name} (${card.digest}${alive.has(card.digest) ? '' : ', no node at the moment'})`)
      .join(', ')
  if (found.length === 0) {
    throw new DitError(
      'not-found',
      name === undefined
        ? 'the cluster has no model: no node has joined it yet'
        : `no node draws ${JSON.stringify(name)}`,
      cards.length > 0
        ? `There are: ${listed(cards)}.`
        : 'Start one on each machine that has devices: webdit node --nats nats://… --model FOLDER',
    )
  }
  throw new DitError(
    'bad-argument',
    name === undefined
      ? `the cluster has ${found.length} models`
      : `${found.length} models of the cluster are called ${JSON.stringify(name)}`,
    `Say which with --model: ${listed(found)}.`,
  )
}

const factsOf = ({ files, name }: ModelCard): Promise<ModelFacts> => {
  const bytes = Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)] as const)
  return modelFacts(memorySource(new Map(bytes), name))
}
