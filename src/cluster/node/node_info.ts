import { keysOf } from '../keys.ts'
import { untilAnswered } from '../patience.ts'
import type { Rooms } from '../rooms.ts'

/** What a node tells of itself. */
export interface NodeInfo {
  readonly id: string
  readonly host: string
  readonly pid: number
  /** webdit's. */
  readonly version: string
  readonly model: { readonly name: string; readonly digest: string }
  /** Names of its devices, and how many pictures it draws side by side. */
  readonly devices: readonly string[]
  readonly meshes: number
  readonly ranks: number
  /** Ranks that it lends to meshes over several machines, instead of taking jobs; and their links among each other. */
  readonly lends?: { readonly ranks: number; readonly link?: NodeInfo['link'] }
  /** Bytes that weights and activations may take on a device, where that is limited; and of the host. */
  readonly memory: { readonly device?: number; readonly host: number }
  /** FLOP/s of a device in linear layers. */
  readonly flops: number
  /** To the server: bytes a second there and back, and seconds of the smallest message there and back. */
  readonly link: { readonly bandwidth: number; readonly latency: number }
  readonly state: 'idle' | 'drawing' | 'draining'
  /** Jobs in hand, and done since it began. */
  readonly jobs: readonly string[]
  readonly done: number
  /** ms that its clock is ahead of the server's. */
  readonly skew: number
}

/** The nodes that are there, by their hosts. */
export async function nodesOf(rooms: Rooms): Promise<NodeInfo[]> {
  const { nc, nodes, names } = rooms
  const found: NodeInfo[] = []
  for (const id of await keysOf(rooms, names.buckets.nodes)) {
    const entry = await untilAnswered(nc, 'a node', () => nodes.get(id))
    if (entry?.operation === 'PUT') found.push(entry.json<NodeInfo>())
  }
  return found.sort((a, b) => (a.host === b.host ? a.pid - b.pid : a.host < b.host ? -1 : 1))
}
