// A process that starts ranks as a pipeline does, to be killed.
import { wrap } from 'comlink'
import { createRendezvous } from '../../../src/parallel/fabric/processes/rendezvous.node.ts'
import { startRankProcess } from '../../../src/pipelines/rank_process.node.ts'
import type { TestApi } from './entry.ts'

const links = await createRendezvous(2)
const ranks = Array.from({ length: 2 }, () => startRankProcess(new URL(process.argv[2])))
const [open, blocked] = ranks.map(({ endpoint }) => wrap<TestApi>(endpoint))
await Promise.all([open.open(links, 0), blocked.open(links, 1)])
await blocked.block()
process.send!({ pids: ranks.map(({ pid }) => pid), directory: links.directory })
