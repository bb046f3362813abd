import type { MemoryPlan, OffloadLevel } from '../../pipelines/memory_plan/plan.ts'
import { megabytes } from '../../runtime/arena.ts'

/** A plan as people read it. */
export function planLines(plan: MemoryPlan): string[] {
  const { pipeline, pictures, width, height, weights, formats, phases, host } = plan
  const what = pictures === 1 ? 'a picture' : `${pictures} pictures`
  const device: Row[] = [
    ...Object.entries(weights).map(([name, bytes]): Row => [`weights of ${name}`, bytes, formats[name]]),
    ...Object.entries(phases).map(([name, { used }]): Row => [`activations of the ${name} phase`, used]),
    [
      'at most: weights and activations',
      plan.weightsAndActivations,
      'what --memory bounds; buffers are kept for reuse',
    ],
    ['at most: with staging and uniforms', plan.device],
    ['greatest buffer', plan.greatestBuffer.bytes, `the device allows ${megabytes(plan.bufferLimit)}`],
  ]
  const hostRows: Row[] = [
    ['runtime, driver and kernels', host.runtime],
    ['on the way to the device and back', host.transfers],
    ['latents and pictures', host.pictures],
    ...(host.blocks > 0 ? [['blocks of networks, as the device takes them', host.blocks] satisfies Row] : []),
    ...(host.texts > 0 ? [['encoded texts', host.texts] satisfies Row] : []),
    plan.software ? ['at most, with the device, which is this CPU', host.total + plan.device] : ['at most', host.total],
  ]
  return [
    `${pipeline}: ${what} of ${width} x ${height} pixels, tier ${plan.tier}`,
    ...plan.withoutWeights.map((file) => `${file} is not there: its size follows from config.json`),
    '',
    'on the device',
    ...table(device),
    'on the host, as an upper bound',
    ...table(hostRows),
    ...(plan.levels
      ? ['weights and activations at most, by what leaves the device', ...table(plan.levels.map(levelRow))]
      : []),
    '',
    ...verdict(plan),
  ]
}

/** How much is offloaded, and what that costs. */
function levelRow({ offload, weightsAndActivations, fits, hostBlocks }: OffloadLevel): Row {
  const costs = {
    none: undefined,
    components: 'weights are read for each call',
    blocks: `${megabytes(hostBlocks)} stay on the host, and go to the device block by block in every step`,
  }[offload]
  const notes = [...(fits ? [] : ['does not fit']), ...(costs ? [costs] : [])]
  return [`--offload ${offload}`, weightsAndActivations, notes.join('; ') || undefined]
}

type Row = readonly [what: string, bytes: number, note?: string]

function table(rows: readonly Row[]): string[] {
  const widest = Math.max(...rows.map(([what]) => what.length))
  return rows.map(([what, bytes, note]) => {
    const line = `  ${what.padEnd(widest)}  ${megabytes(bytes).padStart(10)}`
    return note ? `${line}  (${note})` : line
  })
}

function verdict({ fits, problem, fitsTiled, levels, largest, weights }: MemoryPlan): string[] {
  if (fits) return ['It fits.']
  const total = Object.values(weights).reduce((sum, bytes) => sum + bytes, 0)
  const offloaded = levels?.find((level) => level.fits)
  const size = largest && `--height ${largest.height} --width ${largest.width} --no_use_resolution_binning`
  return [
    `It does not fit: ${problem}.`,
    ...(fitsTiled ? ['  With --enable_tiling it does.'] : []),
    ...(offloaded
      ? [`  With --offload ${offloaded.offload} it does: ${megabytes(offloaded.weightsAndActivations)} at most.`]
      : []),
    size
      ? `  The largest that fits: ${size}`
      : `  No size fits beside ${megabytes(total)} of weights: it takes more memory, another device or a smaller model.`,
  ]
}
