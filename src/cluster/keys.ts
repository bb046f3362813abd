import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { untilAnswered } from './patience.ts'

/** The keys of a bucket. */
export function keysOf(nc: NatsConnection, bucket: KV): Promise<string[]> {
  return untilAnswered(nc, 'a list', async () => {
    const found: string[] = []
    for await (const key of await bucket.keys()) found.push(key)
    return found
  })
}
