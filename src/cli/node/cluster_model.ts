import type { ClusterModel } from '../../cluster/model/card.ts'
import type { Rooms } from '../../cluster/rooms.ts'
import { type CliIo, type ParsedArgs, UsageError } from '../command.ts'
import { VERSION } from '../package_info.ts'

/** The flags that say how a model is loaded and on what: in a cluster its nodes are told that. */
const OF_NODES = (name: string): string => `--${name} is for whoever starts a node`

/** @param names flags that the command has, and nodes decide. @throws UsageError where one is given */
export function refuseFlagsOfNodes(args: ParsedArgs, names: readonly string[]): void {
  const given = names.find((name) => args.has(name))
  if (given === undefined) return
  throw new UsageError(OF_NODES(given), 'Leave it out here, and give it to webdit node.')
}

/** The model that the command line means, of those that nodes have. @throws DitError 'not-found', 'unsupported' */
export async function clusterModel(args: ParsedArgs, io: CliIo, rooms: Rooms): Promise<ClusterModel> {
  const { findModel } = await import('../../cluster/model/card.ts')
  const { nodesOf } = await import('../../cluster/node/node_info.ts')
  const { mixedVersions } = await import('../../cluster/node/announcement.ts')
  const nodes = await nodesOf(rooms)
  const model = await findModel(rooms, nodes, args.text('model'))
  const own = nodes.filter((node) => node.model.digest === model.digest)
  const other = own.find(({ version }) => version !== VERSION)
  if (other) throw mixedVersions(VERSION, other)
  const count = own.reduce((sum, { meshes }) => sum + meshes, 0)
  if (count === 0) io.note(`no node draws ${model.name} at the moment: the request waits for one`)
  else io.note(`cluster: ${own.length === 1 ? 'one node draws' : `${own.length} nodes draw`} ${model.name}`)
  return model
}
