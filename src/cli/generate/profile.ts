import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeWhole } from '../../pipelines/image/write_file.node.ts'
import type { Device } from '../../runtime/device.ts'
import { chromeTrace, type Profile } from '../../runtime/profiling/profile.ts'
import { Profiler } from '../../runtime/profiling/profiler.ts'
import { type CliIo, type ParsedArgs, UsageError } from '../command.ts'
import { prepareOutputDirectory } from './output_files.ts'
import { profileTable } from './profile_table.ts'

/** As xDiT's runner names it, unpacked. */
const TRACE_FILE = 'profile_trace_rank_0.json'

/**
 * Where --profile wants its trace; undefined without the flag.
 * @throws UsageError for a folder, DitError 'io' where nothing can be written
 */
export async function profilePath(args: ParsedArgs, outputDirectory: string): Promise<string | undefined> {
  if (!args.has('profile')) return undefined
  const path = args.text('profile') ?? join(outputDirectory, TRACE_FILE)
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder || path === '') {
    throw new UsageError(`--profile is ${JSON.stringify(path)}, expected the name of a file`)
  }
  await prepareOutputDirectory(dirname(path), 'profile')
  return path
}

/** Runs `body`, and measures the device meanwhile. */
export async function measured<T>(device: Device, body: () => Promise<T>): Promise<{ result: T; profile: Profile }> {
  const profiler = Profiler.start(device)
  try {
    const result = await body()
    return { result, profile: profiler.stop() }
  } catch (error) {
    profiler.stop()
    throw error
  }
}

/** Writes the trace, prints its path, and the tables beside it. */
export async function writeProfile(profile: Profile, path: string, io: Pick<CliIo, 'note' | 'print'>): Promise<void> {
  for (const line of profileTable(profile)) io.note(line)
  await writeWhole(path, new TextEncoder().encode(chromeTrace(profile)))
  io.print(path)
}
