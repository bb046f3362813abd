import type { Output } from './compare.ts'
import type { RunReport, Summary } from './verify.ts'

/** Widths of the columns; longer texts push the rest of their row. */
const COLUMNS = { run: 44, output: 36, error: 9, tolerance: 10 } as const

export const HEADER = row('', 'case/run', 'output', 'error', 'tolerance', 'PSNR').trimEnd()

/** The lines of a run in the table. */
export function tableOf({ case: name, run, status, reason, outputs }: RunReport): string[] {
  const title = run ? `${name}/${run}` : name
  const rows = collapse(outputs).map((output, i) => outputRow(i === 0 ? title : '', output))
  if (status === 'unsupported') rows.push(row('-', rows.length ? '' : title, `unsupported: ${reason}`))
  if (status === 'failed') rows.push(row('FAIL', rows.length ? '' : title, `failed: ${reason}`))
  return rows.map((line) => line.trimEnd())
}

export function summaryLine({ within, over, unsupported, failed }: Summary): string {
  const counted = `${within} outputs within tolerance, ${over} over, ${unsupported} runs unsupported`
  return failed > 0 ? `${counted}, ${failed} failed` : counted
}

/** What `--json` prints; numbers that JSON lacks are null. */
export function jsonOf(device: string | undefined, reports: readonly RunReport[], summary: Summary): string {
  return JSON.stringify({ device, runs: reports, summary }, null, 1)
}

/** Outputs of one group as one row, the worst of them; those over tolerance stay rows of their own. */
function collapse(outputs: readonly Output[]): Output[] {
  const shown: Output[] = []
  const groups = new Map<string, Output[]>()
  for (const output of outputs) {
    const group = output.ok && output.group !== undefined ? groups.get(output.group) : undefined
    if (group) group.push(output)
    else {
      shown.push(output)
      if (output.ok && output.group !== undefined) groups.set(output.group, [output])
    }
  }
  return shown.map((output) => {
    const group = groups.get(output.group ?? '')
    if (!output.ok || !group || group.length === 1) return output
    const worst = group.reduce((a, b) => (b.error > a.error ? b : a))
    return { ...worst, name: `${output.group} (worst of ${group.length})` }
  })
}

function outputRow(title: string, { name, metric, error, tolerance, psnr, ok, note }: Output): string {
  const limit = {
    rel_l2: short(tolerance),
    absolute: `abs ${short(tolerance)}`,
    exact: 'exact',
    psnr: `≥ ${Number(tolerance.toFixed(1))} dB`,
  }
  const measured = metric === 'psnr' ? decibels(error) : metric === 'exact' ? differing(error) : scientific(error)
  const beside = psnr === undefined || metric === 'psnr' ? '' : decibels(psnr)
  return row(ok ? 'ok' : 'OVER', title, name, measured, limit[metric], [beside, note].filter(Boolean).join(' '))
}

function row(mark: string, run: string, output: string, error = '', tolerance = '', rest = ''): string {
  const { run: r, output: o, error: e, tolerance: t } = COLUMNS
  return `${mark.padEnd(4)} ${run.padEnd(r)} ${output.padEnd(o)} ${error.padStart(e)}  ${tolerance.padEnd(t)} ${rest}`
}

/** 1.2e-6. */
const scientific = (value: number): string =>
  value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : String(value)

/** 1e-4, 5e-5, 2.5e-3. */
const short = (value: number): string => Number(value.toPrecision(2)).toExponential()

const decibels = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? 'equal' : Number.isFinite(value) ? `${value.toFixed(1)} dB` : String(value)

const differing = (count: number): string => (count === 0 ? 'equal' : Number.isNaN(count) ? 'NaN' : `${count} differ`)
