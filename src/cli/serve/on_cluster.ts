import type { ServedModel } from '../../server/served_model.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { clusterModel, noteNodes, refuseFlagsOfNodes } from '../node/cluster_model.ts'
import { withCluster } from '../node/with_cluster.ts'
import { VERSION } from '../package_info.ts'
import type { OpenedDrawer } from './open_drawers.ts'
import { SERVE_OPTIONS } from './options.ts'

/** What a server of a cluster decides itself. */
const OWN = [
  ...['model', 'host', 'port', 'api_keys', 'cors_origin', 'model_name', 'queue', 'max_batch', 'max_size', 'max_steps'],
  ...['max_n', 'max_body', 'deadline', 'data_parallel_degree'],
]

/** Batches that are in the cluster at once, unless --data_parallel_degree says otherwise. */
const AT_ONCE = 16

/** What draws where the nodes of a cluster do: each drawer has a batch in the cluster's queue, if there is one. */
export async function withClusterDrawers(
  args: ParsedArgs,
  io: CliIo,
  body: (drawers: readonly OpenedDrawer[], model: Omit<ServedModel, 'since'>) => Promise<void>,
): Promise<void> {
  refuseFlagsOfNodes(
    args,
    SERVE_OPTIONS.map(({ name }) => name).filter((name) => !OWN.includes(name)),
  )
  await withCluster(args, 'webdit serve', async (rooms) => {
    const { Caller } = await import('../../cluster/jobs/caller.ts')
    const { drawOnCluster } = await import('../../cluster/drawing.ts')
    const model = await clusterModel(args, rooms)
    noteNodes(model, io)
    const { name, digest, facts } = model
    const caller = new Caller(rooms, VERSION)
    const open = async () => ({
      draw: (prompts: string[], call: Parameters<typeof drawOnCluster>[3]) =>
        drawOnCluster(caller, digest, prompts, call, true),
      async close() {},
    })
    const count = args.number('data_parallel_degree') ?? AT_ONCE
    const drawers = await Promise.all(Array.from({ length: count }, async () => ({ open, drawer: await open() })))
    try {
      await body(drawers, { id: name, facts, config: undefined })
    } finally {
      await caller.close()
    }
  })
}
