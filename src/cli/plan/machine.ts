import { ASSUMED_MACHINE, type Machine } from '../../parallel/planner/machine.ts'
import { measureMachine } from '../../pipelines/mesh_plan/measure_machine.ts'
import type { MeasuredShapes } from '../../pipelines/mesh_plan/measure_rank.ts'
import { listCards } from '../../runtime/platform/cards/list_cards.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import { quantity } from './quantities.ts'

/** A machine that is planned for, and how fast its devices are relative to each other. */
export interface PlannedMachine {
  readonly machine: Machine
  readonly speeds: readonly number[] | undefined
}

/** Ranks for --devices auto: as many as this machine has cards. */
export async function countCards(args: ParsedArgs, io: CliIo): Promise<number> {
  const { cards } = await listCards({ backend: deviceChoice(args).backend })
  io.note(`--devices auto: this machine has ${cards.length === 1 ? 'one card' : `${cards.length} cards`}`)
  return Math.max(1, cards.length)
}

/** What is given counts; the rest is measured by as many ranks, or assumed. */
export async function machineOf(
  args: ParsedArgs,
  devices: number,
  measure: (() => Promise<MeasuredShapes>) | undefined,
): Promise<PlannedMachine> {
  const flops = quantity(args, 'device_flops')
  const bandwidth = quantity(args, 'link_bandwidth')
  const latency = quantity(args, 'link_latency')
  const { memory, tier, adapter, backend } = deviceChoice(args)
  const all = flops !== undefined && bandwidth !== undefined && latency !== undefined
  const platform = { adapter, backend }
  const measured = measure && !all ? await measureMachine(devices, await measure(), { tier, platform }) : undefined
  const found: Machine = measured ?? ASSUMED_MACHINE
  return {
    machine: {
      linear: flops ?? found.linear,
      attention: flops ?? found.attention,
      perKey: flops ? 0 : found.perKey,
      bandwidth: bandwidth ?? found.bandwidth,
      latency: latency ?? found.latency,
      memory,
    },
    speeds: measured?.speeds,
  }
}
