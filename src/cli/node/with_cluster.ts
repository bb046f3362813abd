import type { Rooms } from '../../cluster/rooms.ts'
import type { ParsedArgs } from '../command.ts'
import { clusterName, serverAccess } from './nats_options.ts'

/** Connects to the cluster that a command line names, for `body`. @throws DitError 'io', UsageError */
export async function withCluster<T>(args: ParsedArgs, what: string, body: (rooms: Rooms) => Promise<T>): Promise<T> {
  const access = await serverAccess(args)
  // NATS's clients are read by those alone who use them.
  const { connectTo } = await import('../../parallel/fabric/nats/connection.node.ts')
  const { openRooms } = await import('../../cluster/rooms.ts')
  const nc = await connectTo(access, what)
  try {
    return await body(await openRooms(nc, clusterName(args)))
  } finally {
    await nc.flush().catch(() => {})
    await nc.close()
  }
}
