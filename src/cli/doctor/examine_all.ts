import { spawn } from 'node:child_process'
import { adapterMerit } from '../../runtime/adapter.ts'
import type { Backend } from '../../runtime/platform/platform.ts'
import { ownArguments } from '../../runtime/platform/reexec.node.ts'
import type { CliIo } from '../command.ts'
import type { BackendFinding, DoctorReport, Missing } from './report.ts'

/**
 * Examines each backend in a process of its own, one after the other: they may need different drivers, which a process
 * chooses as it starts, and one that crashes leaves the others be.
 */
export async function examineAll(io: CliIo, backends: readonly Backend[]): Promise<DoctorReport> {
  const reports: DoctorReport[] = []
  const missing: Missing[] = []
  for (const backend of backends) {
    const { report, failure } = await examineElsewhere(io, backend)
    if (report) reports.push(report)
    else missing.push({ what: `the backend ${backend} (${failure})`, mend: `webdit doctor --backend ${backend}` })
  }
  if (reports.length === 0) throw new Error(missing.map(({ what }) => what).join('; '))
  const findings = reports.flatMap((report) => report.backends)
  return {
    ...reports[0],
    backends: findings.sort((a, b) => meritOf(b) - meritOf(a)),
    missing: [...mergeMissing(reports), ...missing],
  }
}

async function examineElsewhere(
  io: CliIo,
  backend: Backend,
): Promise<{ report?: DoctorReport; failure: string | undefined }> {
  const child = spawn(process.execPath, [...ownArguments(), '--backend', backend, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: io.signal,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ? `died of ${signal}` : `exit code ${code}`))
  })
  io.signal.throwIfAborted()
  const failure = stderr.trim().split('\n').at(-1) || ended
  try {
    return { report: JSON.parse(stdout), failure }
  } catch {
    return { failure }
  }
}

/** As the default backend is chosen; one without a device comes last. */
function meritOf({ adapters: [adapter], device }: BackendFinding): number {
  if (!device) return -1
  const info = { ...adapter, isFallbackAdapter: adapter.software }
  return adapterMerit({ info, features: { has: (name) => adapter.features[name] } })
}

/** What is missing to all, and to one alone, with its name. */
function mergeMissing(reports: readonly DoctorReport[]): Missing[] {
  const all = reports.flatMap(({ missing, backends: [{ backend }] }) => missing.map((one) => ({ ...one, backend })))
  const common = ({ what }: Missing) => all.filter((other) => other.what === what).length === reports.length
  const first = all.filter((one, i) => all.findIndex(({ what }) => what === one.what) === i)
  return first.map((one) => ({ what: common(one) ? one.what : `for ${one.backend}: ${one.what}`, mend: one.mend }))
}
