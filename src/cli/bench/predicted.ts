import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { measuredShapes } from '../../pipelines/mesh_plan/measured_shapes.ts'
import { planMeshes } from '../../pipelines/mesh_plan/plan_meshes.ts'
import type { ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import type { Session } from '../generate/session.ts'
import { machineOf } from '../plan/machine.ts'
import { median } from './timings.ts'

/** Seconds a step of the mesh, as the planner sees it; undefined where one device draws. Measures the machine. */
export async function predictedStep({ mesh, settings }: Session, args: ParsedArgs): Promise<number | undefined> {
  const { config, planned } = mesh
  if (!config || sizeOf(config.degrees) === 1 || mesh.workers === 'one device') return undefined
  if (planned) return planned.step
  const { model, prompts, variant, transformer, textEncoders, call } = settings
  const devices = sizeOf(config.degrees)
  const { machine, speeds } = await machineOf(args, devices, () => measuredShapes(model, call))
  const { tier } = deviceChoice(args)
  const { meshes } = await planMeshes(model, prompts, {
    devices,
    machine,
    speeds,
    config,
    tier,
    variant,
    transformer,
    textEncoders,
    call,
  })
  return meshes[0].step
}

/** The prediction beside what was measured. @param steps seconds of each step that was timed */
export function predictedLine(predicted: number, steps: readonly number[]): string[] {
  if (steps.length === 0) return []
  const measured = median(steps)
  const factor = (predicted / measured).toFixed(2)
  return [`s/step   predicted ${predicted.toFixed(4)}, measured ${measured.toFixed(4)} (median): ${factor} of it`]
}
