import { createInbox, type NatsConnection } from '@nats-io/transport-node'
import type { NodeInfo } from './node_info.ts'

/** Bytes that are timed, and small messages. */
const [BYTES, TIMES] = [2 * 2 ** 20, 5]
const PIECE = 64 * 1024

/** This machine's link to the server, there and back. */
export async function measureLink(nc: NatsConnection): Promise<NodeInfo['link']> {
  const latencies: number[] = []
  for (let i = 0; i < TIMES; i++) latencies.push(await nc.rtt())
  const latency = latencies.toSorted((a, b) => a - b)[TIMES >> 1] / 1000
  const size = Math.min(PIECE, nc.info?.max_payload ?? PIECE)
  const count = Math.ceil(BYTES / size)
  const subject = createInbox()
  const pieces = nc.subscribe(subject, { max: count })
  const began = performance.now()
  for (let i = 0; i < count; i++) nc.publish(subject, new Uint8Array(size))
  for await (const _ of pieces);
  const seconds = (performance.now() - began) / 1000
  return { latency, bandwidth: (count * size) / Math.max(seconds - latency, seconds / 10) }
}
