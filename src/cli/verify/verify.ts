import type { Device } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import { openFolder } from '../../runtime/weights/folder_source.node.ts'
import type { Source } from '../../runtime/weights/source.ts'
import type { Output } from './compare.ts'
import { type Found, findCases } from './find_cases.ts'
import { Run, type Runner } from './run.ts'
import { runnerOf } from './runners/index.ts'
import { Unsupported } from './unsupported.ts'

/** How a run ended: compared, not computable yet, or not carried out to its end. */
export interface RunReport {
  readonly case: string
  readonly run: string
  readonly status: 'compared' | 'unsupported' | 'failed'
  /** Why it is unsupported, or what failed. */
  readonly reason?: string
  /** What was compared, also of a run that failed later. */
  readonly outputs: readonly Output[]
}

export interface VerifyOptions {
  /** The checkpoint of a trained model's cases. */
  readonly model?: string
  /** Part of CASE/RUN: others are left out. */
  readonly filter?: string
  /** Leaves out runs with this in CASE/RUN. */
  readonly skip?: string
  /** Gives the one device for all cases; called only if a case computes on it. */
  readonly device: () => Promise<Device>
  readonly signal?: AbortSignal
  readonly onStart?: (title: string) => void
  readonly onRun: (report: RunReport) => void
}

/**
 * Carries out the runs of all cases in `dirs`, one after the other; a failure is reported and the others go on.
 * @throws DitError 'not-found' where a folder holds no case, or the filter leaves none; 'device-lost'; 'aborted'
 */
export async function verify(dirs: readonly string[], options: VerifyOptions): Promise<void> {
  const cases = (await Promise.all(dirs.map((dir) => findCases(dir, options.model)))).flat()
  let reported = 0
  const report = (one: RunReport) => {
    reported++
    options.onRun(one)
  }
  for (const found of cases) await verifyCase(found, { ...options, onRun: report })
  if (reported > 0) return
  throw new DitError('not-found', `no run of these ${cases.length} cases has "${options.filter}" in its name`)
}

async function verifyCase(found: Found, options: VerifyOptions): Promise<void> {
  const { onRun } = options
  if ('fault' in found) return failWhole(found.name, found.fault, options)
  let source: Source | undefined
  try {
    source = await openFolder(found.folder)
    const runner = runnerOf(found)
    const names = (await runner.runs?.(found, source)) ?? Object.keys(found.meta.runs)
    if (names.length === 0) throw new DitError('corrupt', `${found.folder}: meta.json lists no run`)
    for (const name of names) {
      if (!asked(`${found.name}/${name}`, options)) continue
      options.signal?.throwIfAborted()
      options.onStart?.(`${found.name}/${name}`)
      onRun(await verifyRun(runner, new Run(found, name, { source, device: options.device })))
    }
  } catch (error) {
    if (endsAll(error, options)) throw error
    failWhole(found.name, error, options)
  } finally {
    await source?.close()
  }
}

function failWhole(name: string, error: unknown, options: VerifyOptions): void {
  if (asked(name, options))
    options.onRun({ case: name, run: '', status: 'failed', reason: messageOf(error), outputs: [] })
}

async function verifyRun(runner: Runner, run: Run): Promise<RunReport> {
  const about = { case: run.case.name, run: run.name, outputs: run.outputs }
  try {
    await runner.run(run)
    const left = runner.runs ? [] : await run.uncompared()
    if (left.length > 0) throw new DitError('validation', `nothing was compared with ${left.join(', ')}`)
    if (run.outputs.length === 0) throw new DitError('corrupt', 'there is nothing to compare with')
    return { ...about, status: 'compared' }
  } catch (error) {
    if (error instanceof Unsupported) return { ...about, status: 'unsupported', reason: error.message }
    if (endsAll(error)) throw error
    return { ...about, status: 'failed', reason: messageOf(error) }
  }
}

/** What no later case can do without: a device, and somebody who waits. */
function endsAll(error: unknown, { signal }: Pick<VerifyOptions, 'signal'> = {}): boolean {
  if (signal?.aborted) return true
  return error instanceof DitError && ['device-lost', 'no-adapter', 'aborted'].includes(error.kind)
}

/** The message in one line; a fault in a case's JSON shows as JavaScript's own error. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/\s*\n\s*/g, ' ')
}

export interface Summary {
  readonly within: number
  readonly over: number
  readonly unsupported: number
  readonly failed: number
  /** Nothing over, nothing failed. */
  readonly ok: boolean
}

export function summarize(reports: readonly RunReport[]): Summary {
  const outputs = reports.flatMap((report) => report.outputs)
  const withStatus = (status: RunReport['status']) => reports.filter((report) => report.status === status).length
  const over = outputs.filter(({ ok }) => !ok).length
  const failed = withStatus('failed')
  return {
    within: outputs.length - over,
    over,
    unsupported: withStatus('unsupported'),
    failed,
    ok: over === 0 && failed === 0,
  }
}

const asked = (run: string, { filter = '', skip }: VerifyOptions): boolean =>
  run.includes(filter) && (skip === undefined || !run.includes(skip))
