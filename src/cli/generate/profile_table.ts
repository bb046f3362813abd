import type { Profile } from '../../runtime/profiling/profile.ts'

/** The lines that --profile prints: kernels, phases, and what measuring them did to the whole. */
export function profileTable(profile: Profile): string[] {
  return [...(profile.timestamps ? kernelLines(profile) : untimedLines(profile)), '', ...phaseLines(profile)]
}

function kernelLines({ kernels, kernelMs, deviceMs, wallMs, idle }: Profile): string[] {
  const calls = kernels.reduce((sum, kernel) => sum + kernel.calls, 0)
  const row = (name: string, calls: number, ms: number) => [
    name,
    String(calls),
    ms.toFixed(2),
    `${(kernelMs > 0 ? (100 * ms) / kernelMs : 0).toFixed(1)} %`,
    calls > 0 ? ((1000 * ms) / calls).toFixed(1) : '',
  ]
  return [
    ...columns([
      ['kernel', 'calls', 'total ms', 'share', 'mean µs'],
      ...kernels.map(({ name, calls, ms }) => row(name, calls, ms)),
      row('all kernels', calls, kernelMs),
    ]),
    `From the first kernel to the last ${seconds(deviceMs)} passed, of ${seconds(wallMs)} in all; ` +
      `the device was idle for ${(100 * idle).toFixed(1)} % of them.`,
    'Measuring takes time: each kernel ran in a pass of its own, and each submit was waited for.',
  ]
}

function untimedLines({ kernels }: Profile): string[] {
  const calls = kernels.reduce((sum, kernel) => sum + kernel.calls, 0)
  return [`This device has no timestamp queries: its ${calls} kernel calls are counted, not timed.`]
}

function phaseLines({ phases, wallMs, kernelMs, timestamps, droppedEvents }: Profile): string[] {
  const row = (name: string, calls: string, ms: number, deviceMs: number) => [
    name,
    calls,
    (ms / 1000).toFixed(3),
    timestamps ? (deviceMs / 1000).toFixed(3) : '',
  ]
  const known = phases.reduce((sum, phase) => ({ ms: sum.ms + phase.ms, kernelMs: sum.kernelMs + phase.kernelMs }), {
    ms: 0,
    kernelMs: 0,
  })
  return [
    ...columns([
      ['phase', 'times', 'total s', timestamps ? 'kernels s' : ''],
      ...phases.map(({ name, calls, ms, kernelMs }) => row(name, String(calls), ms, kernelMs)),
      row('other', '', Math.max(0, wallMs - known.ms), Math.max(0, kernelMs - known.kernelMs)),
      row('all', '', wallMs, kernelMs),
    ]),
    ...(droppedEvents > 0 ? [`The trace leaves out its last ${droppedEvents} bars; the tables count them.`] : []),
  ]
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`

/** Pads to equal widths: the first column to the left, numbers to the right. */
function columns(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  )
}
