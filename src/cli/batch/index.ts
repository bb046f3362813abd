import { readdir, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { DitImage } from '../../pipelines/image/image.ts'
import { modelFacts } from '../../pipelines/model_facts.ts'
import { randomSeed } from '../../pipelines/noise.ts'
import { DitError } from '../../runtime/errors.ts'
import { type CliIo, type Command, type ParsedArgs, UsageError } from '../command.ts'
import type { Drawing } from '../generate/drawing.ts'
import { prepareOutputDirectory } from '../generate/output_files.ts'
import { duration } from '../generate/progress.ts'
import { type Session, withDevice, withSession } from '../generate/session.ts'
import { readSettings, type Settings } from '../generate/settings.ts'
import { pictureParameters } from '../generate/write_results.ts'
import { readDataset } from './dataset.ts'
import { withLock } from './lock.ts'
import { type JobLine, MANIFEST, Manifest } from './manifest.ts'
import { BATCH_DESCRIPTION, BATCH_OPTIONS } from './options.ts'
import { callOf, checkTasks, type Task, tasksOf, together } from './tasks.ts'

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
  const { outputDirectory: folder } = settings
  await prepareOutputDirectory(folder)
  await withLock(folder, async () => {
    await removeTemporaryFiles(folder)
    const manifest = await openManifest(settings)
    const tasks = tasksOf(rows, settings, manifest.job.seed)
    const left = await unfinished(tasks, manifest, folder)
    if (left.length < tasks.length) io.note(`${tasks.length - left.length} of ${tasks.length} rows are there already`)
    if (left.length === 0) return
    // Rows are checked one by one below; what a session checks, and plans a mesh for, is a batch of them.
    const one = { ...settings, prompts: settings.prompts.slice(0, most) }
    await withSession(
      args,
      io,
      async (session) => {
        checkTasks(left, await modelFacts(session.source), session.mesh)
        await withDevice(session, (load) => drawAll(load, { session, settings, manifest, left, most }))
      },
      one,
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

/** Goes on with the job that the folder holds, or begins one. @throws DitError where the folder holds another job */
async function openManifest(settings: Settings): Promise<Manifest> {
  const { outputDirectory: folder, model, variant, transformer, weights } = settings
  const { seed, ...call } = settings.call
  const rest = JSON.parse(JSON.stringify({ model: nameOf(model), variant, transformer, weights, call }))
  const there = await Manifest.read(folder)
  if (!there) return Manifest.begin(folder, { seed: seed ?? randomSeed(), ...rest })
  const asked: JobLine['job'] = { seed: seed ?? there.job.seed, ...rest }
  const differs = [...new Set([...Object.keys(asked), ...Object.keys(there.job)])].find(
    (name) => JSON.stringify(asked[name]) !== JSON.stringify(there.job[name]),
  )
  if (differs === undefined) return there
  throw new DitError(
    'bad-argument',
    `${join(folder, MANIFEST)} is of a job with another ${differs}: ${show(there.job[differs])}, now ${show(asked[differs])}`,
    'Choose another folder with --output_directory, or start it with the flags that it had.',
  )
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'none'
/** Folders may be called from elsewhere the next time. */
const nameOf = (model: string): string => basename(resolve(model))

/** @throws DitError where a finished row is not the table's any more */
async function unfinished(tasks: readonly Task[], manifest: Manifest, folder: string): Promise<Task[]> {
  const left: Task[] = []
  for (const task of tasks) {
    const { number, line } = task.row
    const done = manifest.row(number)
    if (done && done.digest !== task.digest) {
      throw new DitError(
        'bad-argument',
        `row ${number} (line ${line}) is not the one that was drawn into ${folder}: ${JSON.stringify(done.prompt)}`,
        'Choose another folder with --output_directory; rows may be added at the end of a table, and not changed.',
      )
    }
    if (!(await manifest.has(number, folder))) left.push(task)
  }
  return left
}

/** Files that a process was writing when it ended. */
async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^\..*\.[0-9a-f-]{36}\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
  }
}

interface Work {
  readonly session: Session
  readonly settings: Settings
  readonly manifest: Manifest
  readonly left: readonly Task[]
  readonly most: number
}

async function drawAll(load: () => Promise<Drawing>, { session, settings, manifest, left, most }: Work): Promise<void> {
  const { io } = session
  const drawing = await load()
  const began = performance.now()
  try {
    let rest = left
    while (rest.length > 0) {
      const tasks = together(rest, most)
      await drawSome(drawing, tasks, {
        io,
        settings,
        manifest,
        about: `row ${tasks[0].row.number}, ${rest.length} left`,
      })
      rest = rest.filter((task) => !tasks.includes(task))
    }
  } finally {
    await drawing.close()
  }
  io.status('')
  io.note(`drew ${left.length} rows in ${duration((performance.now() - began) / 1000)}`)
}

/** Draws some rows together, and writes each: first its picture, then its line. */
async function drawSome(
  drawing: Drawing,
  tasks: readonly Task[],
  { io, settings, manifest, about }: Pick<Work, 'settings' | 'manifest'> & { io: CliIo; about: string },
): Promise<void> {
  const prompts = tasks.map(({ row }) => row.prompt)
  const { images, warnings } = await drawing.draw(prompts, callOf(tasks), (step, steps) =>
    io.status(`${about}: step ${step} of ${steps}`),
  )
  io.signal.throwIfAborted()
  for (const [i, { width, height, data }] of images.entries()) {
    const { row, seed, call, digest, file } = tasks[i]
    const own = { ...settings, prompts: [row.prompt], call }
    const parameters = pictureParameters({ seed }, drawing.facts, own, { index: 0, height, width })
    const path = join(settings.outputDirectory, file)
    await new DitImage(width, height, data, parameters).save(path)
    await manifest.add({
      row: row.number,
      file,
      prompt: row.prompt,
      seed,
      digest,
      ...(warnings.length > 0 && { warnings }),
    })
    io.print(path)
  }
  for (const warning of warnings) io.note(`warning: ${about}: ${warning}`)
}
