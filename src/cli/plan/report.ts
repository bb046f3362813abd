import type { MemoryPlan } from '../../pipelines/memory_plan/plan.ts'
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
    ...(plan.withoutOffload === undefined
      ? []
      : [
          [
            'saved by --offload components',
            plan.withoutOffload - plan.weightsAndActivations,
            `without it ${megabytes(plan.withoutOffload)}; weights come one group at a time`,
          ] satisfies Row,
        ]),
    ['at most: with staging and uniforms', plan.device],
    ['greatest buffer', plan.greatestBuffer.bytes, `the device allows ${megabytes(plan.bufferLimit)}`],
  ]
  const hostRows: Row[] = [
    ['runtime, driver and kernels', host.runtime],
    ['on the way to the device and back', host.transfers],
    ['latents and pictures', host.pictures],
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
    '',
    ...verdict(plan),
  ]
}

type Row = readonly [what: string, bytes: number, note?: string]

function table(rows: readonly Row[]): string[] {
  const widest = Math.max(...rows.map(([what]) => what.length))
  return rows.map(([what, bytes, note]) => {
    const line = `  ${what.padEnd(widest)}  ${megabytes(bytes).padStart(10)}`
    return note ? `${line}  (${note})` : line
  })
}

function verdict({ fits, problem, fitsTiled, fitsOffloaded, largest, weights }: MemoryPlan): string[] {
  if (fits) return ['It fits.']
  const total = Object.values(weights).reduce((sum, bytes) => sum + bytes, 0)
  const size = largest && `--height ${largest.height} --width ${largest.width} --no_use_resolution_binning`
  return [
    `It does not fit: ${problem}.`,
    ...(fitsTiled ? ['  With --enable_tiling it does.'] : []),
    ...(fitsOffloaded === undefined
      ? []
      : [
          `  With --offload components it does: ${megabytes(fitsOffloaded)} at most, and weights are read for each call.`,
        ]),
    size
      ? `  The largest that fits: ${size}`
      : `  No size fits beside ${megabytes(total)} of weights: it takes more memory, another device or a smaller model.`,
  ]
}
