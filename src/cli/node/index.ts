import { modelFacts } from '../../pipelines/model_facts.ts'
import { openModel } from '../../pipelines/open_model.ts'
import type { CliIo, Command, ParsedArgs } from '../command.ts'
import { readModel } from '../generate/settings.ts'
import { loadingOf } from '../serve/loading.ts'
import { modelId } from '../serve/settings.ts'
import { lendRanks } from './lend_ranks.ts'
import { withMetrics } from './metrics.ts'
import { NODE_DESCRIPTION, NODE_OPTIONS, readNodeSettings } from './options.ts'
import { takeJobs } from './take_jobs.ts'
import { withCluster } from './with_cluster.ts'

export const nodeCommand: Command = {
  name: 'node',
  summary: 'draws for a cluster of machines',
  usage: '--nats nats://HOST:4222 [flags]',
  description: NODE_DESCRIPTION,
  options: NODE_OPTIONS,
  needsDevice: true,
  run: node,
}

async function node(args: ParsedArgs, io: CliIo): Promise<number> {
  const settings = readNodeSettings(args)
  const model = readModel(args)
  // Whatever is being drawn when it is told to end is finished first.
  io.endsByItself?.()
  // Nobody should load a model for minutes to hear of a wrong address.
  await withCluster(args, 'webdit node', async (rooms) => {
    const source = await openModel(model, { signal: io.signal })
    try {
      const { family } = await modelFacts(source)
      // Some requests of other machines start from pictures.
      const imageToImage = family.ownOptions.includes('strength')
      const loading = { ...loadingOf(args, io, source, model), imageToImage }
      const name = args.text('model_name') ?? modelId(model)
      await withMetrics(settings.metricsPort, (metrics) => {
        const options = { rooms, loading, name, settings, metrics }
        return settings.lends === undefined ? takeJobs(args, options) : lendRanks(args, settings.lends, options)
      })
    } finally {
      await source.close()
    }
  })
  return 0
}
