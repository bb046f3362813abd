import { configFlags } from '../../parallel/config/config_flags.ts'
import { sum, type Term } from '../../parallel/planner/machine.ts'
import type { PlannedMesh } from '../../parallel/planner/rank_meshes.ts'
import type { MeshPlan } from '../../pipelines/mesh_plan/plan_meshes.ts'
import { megabytes } from '../../runtime/arena.ts'

/** Meshes that are shown; there may be a hundred. */
const SHOWN = 12

/** A plan of meshes as people read it. @param explain the formulas behind the numbers as well */
export function meshPlanLines(plan: MeshPlan, explain: boolean): string[] {
  const { meshes, oneDevice, devices, machine } = plan
  const what = plan.pictures === 1 ? 'a picture' : `${plan.pictures} pictures`
  const shown = meshes.slice(0, SHOWN)
  const rows = [...shown, oneDevice].map((mesh) => cells(mesh, oneDevice))
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
  return [
    `${plan.pipeline}: ${what} of ${plan.width} x ${plan.height} pixels in ${plan.steps} steps, tier ${plan.tier}`,
    `${devices} devices, each ${rate(machine.linear)} in linear layers and ${rate(machine.attention)} in attention, links of ${(machine.bandwidth / 1e9).toPrecision(3)} GB/s and ${(machine.latency * 1e6).toFixed(0)} us`,
    '',
    line(HEAD).trimEnd(),
    ...rows.map((row) => line(row).trimEnd()),
    ...(meshes.length > SHOWN ? [`and ${meshes.length - SHOWN} slower or larger ones`] : []),
    ...(explain ? shown.slice(0, 1).concat(oneDevice).flatMap(explained) : []),
  ]
}

const HEAD = ['flags', 's a step', 's denoising', 'speed-up', 'a step sends', 'memory a rank', 'picture']

function cells(mesh: PlannedMesh, oneDevice: PlannedMesh): string[] {
  return [
    flagsOf(mesh),
    seconds(mesh.step),
    seconds(mesh.denoising),
    `${(oneDevice.denoising / mesh.denoising).toFixed(2)}x`,
    megabytes(mesh.bytes),
    `${megabytes(mesh.memory.bytes)}${mesh.fits ? '' : ', too much'}`,
    mesh.exact ? 'as on one device' : 'by patches',
  ]
}

const flagsOf = ({ config }: PlannedMesh): string => configFlags(config) || 'one device'

const rate = (flops: number): string =>
  flops >= 1e12 ? `${(flops / 1e12).toPrecision(3)} TFLOP/s` : `${(flops / 1e9).toPrecision(3)} GFLOP/s`

const seconds = (value: number): string => value.toPrecision(3)

function explained(mesh: PlannedMesh): string[] {
  const part = (title: string, terms: readonly Term[], shown: (value: number) => string) => [
    `  ${title}: ${shown(sum(terms))}`,
    ...terms.map(({ what, value, formula }) => `    ${what}: ${shown(value)} = ${formula}`),
  ]
  return [
    '',
    flagsOf(mesh),
    ...part('a step, on the slowest rank', mesh.terms, (value) => `${seconds(value)} s`),
    ...part('memory, on the largest rank', mesh.memory.terms, megabytes),
  ]
}

/** A plan in numbers. */
export const meshPlanJson = (plan: MeshPlan): string =>
  JSON.stringify(
    { ...plan, meshes: plan.meshes.map((mesh) => ({ flags: configFlags(mesh.config), ...mesh })) },
    null,
    2,
  )
