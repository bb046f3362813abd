import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { NATS_OPTIONS } from '../node/nats_options.ts'
import { withCluster } from '../node/with_cluster.ts'
import { nodesTable } from './table.ts'

export const nodesCommand: Command = {
  name: 'nodes',
  summary: 'lists the machines of a cluster',
  usage: '--nats nats://HOST:4222 [flags]',
  description: `Lists the nodes that are there: what each draws with, how fast it is, and what it does. A node that gives no sign of life
for 15 s is left out.`,
  options: [
    ...NATS_OPTIONS,
    { name: 'json', type: 'flag', help: 'A line of JSON for each node, with all that it tells, instead of a table.' },
  ],
  needsDevice: false,
  run: nodes,
}

async function nodes(args: ParsedArgs, io: CliIo): Promise<number> {
  const { jobsInQueue } = await import('../../cluster/rooms.ts')
  const { nodesOf } = await import('../../cluster/node/node_info.ts')
  await withCluster(args, 'webdit nodes', async (rooms) => {
    const found = await nodesOf(rooms)
    if (args.has('json')) for (const node of found) io.print(JSON.stringify(node))
    else for (const line of nodesTable(found)) io.print(line)
    io.note(`jobs in the queue: ${await jobsInQueue(rooms)}`)
  })
  return 0
}
