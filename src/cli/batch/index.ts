import { modelFacts } from '../../pipelines/model_facts.ts'
import { type CliIo, type Command, type ParsedArgs, UsageError } from '../command.ts'
import { prepareOutputDirectory } from '../generate/output_files.ts'
import { withDevice, withSession } from '../generate/session.ts'
import { readSettings } from '../generate/settings.ts'
import { readDataset } from './dataset.ts'
import { withJob } from './job.ts'
import { BATCH_DESCRIPTION, BATCH_OPTIONS } from './options.ts'
import { checkTasks } from './tasks.ts'

export const batchCommand: Command = {
  name: 'batch',
  summary: 'draws a table of prompts, and goes on where it was broken off',
  usage: 'FILE.csv [flags]',
  description: BATCH_DESCRIPTION,
  options: BATCH_OPTIONS,
  positionals: true,
  needsDevice: true,
  run: batch,
}

async function batch(args: ParsedArgs, io: CliIo): Promise<number> {
  const { rows, ignored } = await readDataset(tablePath(args))
  if (ignored.length > 0) io.note(`columns that mean nothing here: ${ignored.join(', ')}`)
  const most = args.number('batch_size') ?? 1
  if (most < 1) throw new UsageError(`--batch_size is ${most}, expected a whole number from 1 on`)
  const settings = readSettings(
    args,
    rows.map(({ prompt }) => prompt),
  )
  await prepareOutputDirectory(settings.outputDirectory)
  await withJob(settings, rows, io, async ({ left, drawAll }) => {
    // Rows are checked one by one; what a session checks, and plans a mesh for, is a batch of them.
    const some = { ...settings, prompts: settings.prompts.slice(0, most) }
    await withSession(
      args,
      io,
      async (session) => {
        checkTasks(left, await modelFacts(session.source), session.mesh)
        await withDevice(session, async (load) => {
          const drawing = await load()
          await drawAll(drawing, most).finally(() => drawing.close())
        })
      },
      some,
    )
  })
  return 0
}

function tablePath(args: ParsedArgs): string {
  const given = [...args.positionals, ...args.texts('dataset_path')]
  if (given.length === 1) return given[0]
  const what =
    given.length === 0 ? 'a table of prompts is needed' : `${given.length} tables are given: ${given.join(', ')}`
  throw new UsageError(what, 'For example: webdit batch prompts.csv --output_directory pictures')
}
