import type { ClusterModel } from '../../cluster/model/card.ts'
import type { NodeInfo } from '../../cluster/node/node_info.ts'
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

/** A model of the cluster, and the nodes that have it at the moment. */
export interface FoundModel extends ClusterModel {
  readonly nodes: readonly NodeInfo[]
}

/** The model that the command line means, of those that nodes have. @throws DitError 'not-found', 'unsupported' */
export async function clusterModel(args: ParsedArgs, rooms: Rooms): Promise<FoundModel> {
  const { findModel } = await import('../../cluster/model/card.ts')
  const { nodesOf } = await import('../../cluster/node/node_info.ts')
  const { mixedVersions } = await import('../../cluster/node/announcement.ts')
  const all = await nodesOf(rooms)
  const model = await findModel(rooms, all, args.text('model'))
  const nodes = all.filter((node) => node.model.digest === model.digest)
  const other = nodes.find(({ version }) => version !== VERSION)
  if (other) throw mixedVersions(VERSION, other)
  return { ...model, nodes }
}

/** Tells how many nodes take jobs for a model: a job waits where none does. */
export function noteNodes({ name, nodes }: FoundModel, io: Pick<CliIo, 'note'>): void {
  const count = nodes.filter(({ meshes }) => meshes > 0).length
  if (count === 0) io.note(`no node draws ${name} at the moment: the request waits for one`)
  else io.note(`cluster: ${count === 1 ? 'one node draws' : `${count} nodes draw`} ${name}`)
}
