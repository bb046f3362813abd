import { oneRank } from '../../parallel/crew/ranks.ts'
import { measureMachine } from '../../pipelines/mesh_plan/measure_machine.ts'
import { measureRank } from '../../pipelines/mesh_plan/measure_rank.ts'
import { measuredShapes } from '../../pipelines/mesh_plan/measured_shapes.ts'
import { cardName } from '../../runtime/platform/cards/card.ts'
import { listCards } from '../../runtime/platform/cards/list_cards.ts'
import type { Backend } from '../../runtime/platform/platform.ts'
import type { Loading } from '../generate/drawing.ts'

/** What a node tells of its devices. */
export interface MeasuredDevices {
  names: readonly string[]
  /** FLOP/s of the fastest in linear layers of the model's shapes. */
  flops: number
}

/**
 * Ranks are measured all at the same time, before the model is loaded; one device of this process when it is opened for
 * the model, which is why what is told is filled in later.
 *
 * @param ranks where ranks draw, how many
 * @param flops where they are known
 * @returns what is told, and the loading that fills it in
 */
export async function measuredDevices(
  loading: Loading,
  ranks: number | undefined,
  flops: number | undefined,
): Promise<{ readonly told: MeasuredDevices; readonly loading: Loading }> {
  const { source, choice, io } = loading
  const told: MeasuredDevices = { names: [], flops: flops ?? 0 }
  const { adapter, backend, tier } = choice
  if (ranks !== undefined) {
    told.names = await deviceNames(backend)
    if (flops === undefined) {
      const shapes = await measuredShapes(source, {})
      told.flops = (await measureMachine(ranks, shapes, { tier, platform: { adapter, backend } })).linear
    }
    return { told, loading }
  }
  const openDevice: typeof io.openDevice = async (choice) => {
    const opened = await io.openDevice(choice)
    told.names = [opened.device.name]
    if (told.flops === 0) {
      io.status('measuring the device')
      told.flops = (await measureRank(opened.device, oneRank(), await measuredShapes(source, {}))).linear
    }
    return opened
  }
  return { told, loading: { ...loading, io: { ...io, openDevice } } }
}

/** Those of this machine, whichever of them ranks open. */
export const deviceNames = async (backend: Backend | undefined): Promise<string[]> =>
  (await listCards({ backend })).cards.map(cardName)
