import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { type ObjectStore, Objm } from '@nats-io/obj'
import type { NatsConnection } from '@nats-io/transport-node'
import { DitError } from '../runtime/errors.ts'
import { type Names, namesOf } from './names.ts'
import { untilAnswered } from './patience.ts'

/** ms between two signs of life of a node, and after how many that were missed it counts as gone. */
export const BEAT = 5_000
export const MISSED = 3

/** How long results are kept, and how long a job may wait, in ms: a day. */
const KEPT = 24 * 3600_000
/** Within this time a job that is published twice is taken in once, in ms. */
const DUPLICATES = 10 * 60_000

/** What a cluster has on its server, opened. */
export interface Rooms {
  readonly nc: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly names: Names
  /** Who is there: entries vanish by themselves. */
  readonly nodes: KV
  /** What callers need to know of models, by their digests. */
  readonly models: KV
  /** What became of jobs, each written once. */
  readonly results: KV
  /** Pictures, and what jobs need besides their words. */
  readonly objects: ObjectStore
}

/**
 * Opens them, and makes what is not there yet.
 *
 * @throws DitError 'io' where the server has no JetStream
 */
export async function openRooms(nc: NatsConnection, cluster: string): Promise<Rooms> {
  const names = namesOf(cluster)
  if (!nc.info?.jetstream) {
    throw new DitError(
      'io',
      'the NATS server runs without JetStream',
      'Start it with -js, or with jetstream {} in its file.',
    )
  }
  const jsm = await untilAnswered(nc, 'JetStream', () => jetstreamManager(nc))
  const js = jetstream(nc)
  const kvm = new Kvm(js)
  const { buckets } = names
  const make = <T>(what: string, attempt: () => Promise<T>) => untilAnswered(nc, what, attempt)
  const file = { storage: StorageType.File }
  await make(names.queue, () => openQueue(jsm, names))
  return {
    nc,
    js,
    jsm,
    names,
    nodes: await make(buckets.nodes, () => kvm.create(buckets.nodes, { ...file, ttl: BEAT * MISSED })),
    models: await make(buckets.models, () => kvm.create(buckets.models, file)),
    results: await make(buckets.results, () => kvm.create(buckets.results, { ...file, ttl: KEPT })),
    objects: await make(buckets.objects, () =>
      new Objm(js).create(buckets.objects, { ...file, ttl: nanoseconds(KEPT) }),
    ),
  }
}

export const nanoseconds = (ms: number): number => ms * 1e6

async function openQueue(jsm: JetStreamManager, { queue, jobs }: Names): Promise<void> {
  try {
    await jsm.streams.info(queue)
  } catch (error) {
    if (!(error instanceof Error && /not found/.test(error.message))) throw error
    await jsm.streams.add({
      name: queue,
      subjects: [jobs('*')],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_age: nanoseconds(KEPT),
      duplicate_window: nanoseconds(DUPLICATES),
    })
  }
}

/** Jobs that wait or are being drawn. A server that was killed may keep some in its stream that are done: their consumers know. */
export async function jobsInQueue({ nc, jsm, names }: Pick<Rooms, 'nc' | 'jsm' | 'names'>): Promise<number> {
  return untilAnswered(nc, 'its queue', async () => {
    let count = 0
    for await (const { num_pending, num_ack_pending } of jsm.consumers.list(names.queue))
      count += num_pending + num_ack_pending
    return count
  })
}
