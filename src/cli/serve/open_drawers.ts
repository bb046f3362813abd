import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { rankCards } from '../../pipelines/team/rank_cards.ts'
import type { Drawer, OpenDrawer } from '../../server/drawer.ts'
import { type Drawing, drawAlone, drawTogether, type Loading } from '../generate/drawing.ts'
import type { Mesh } from '../generate/mesh.ts'

/** A mesh of the server, open; and what opens it again. */
export interface OpenedDrawer {
  readonly open: OpenDrawer
  readonly drawer: Drawer
}

/** How many meshes draw side by side, and how each divides its pictures; without a config on one device of this process. */
export interface Meshes {
  readonly count: number
  readonly config: ParallelConfig | undefined
}

/** What --data_parallel_degree makes meshes of their own of: they draw different requests. */
export function meshesOf({ config }: Mesh): Meshes {
  if (!config) return { count: 1, config }
  return { count: config.degrees.data, config: { ...config, degrees: { ...config.degrees, data: 1 } } }
}

/** Loads the model on all meshes, one after the other. @throws DitError */
export async function openDrawers(loading: Loading, { count, config }: Meshes, workers: Mesh['workers']) {
  const opens = config ? await openers(loading, count, config, workers) : [() => openAlone(loading)]
  const opened: OpenedDrawer[] = []
  try {
    for (const open of opens) opened.push({ open, drawer: await open() })
  } catch (error) {
    await Promise.allSettled(opened.map(({ drawer }) => drawer.close()))
    throw error
  }
  return opened
}

async function openers(
  loading: Loading,
  count: number,
  config: ParallelConfig,
  workers: Mesh['workers'],
): Promise<OpenDrawer[]> {
  const { choice, io } = loading
  const size = sizeOf(config.degrees)
  const platform = { adapter: choice.adapter, backend: choice.backend }
  // Each mesh has cards of its own, as far as there are enough.
  const cards =
    count > 1 && workers !== 'one device' ? await rankCards(count * size, platform, (line) => io.note(line)) : undefined
  return Array.from({ length: count }, (_, mesh) => async () => {
    const own = cards?.slice(mesh * size, (mesh + 1) * size)
    const drawing = await drawTogether({ ...loading, cards: own }, config, workers)
    return drawerOf(drawing, () => drawing.close())
  })
}

async function openAlone(loading: Loading): Promise<Drawer> {
  let opened = await loading.io.openDevice(loading.choice)
  const reopen = async () => {
    opened.close()
    opened = await loading.io.openDevice(loading.choice)
    return opened.device
  }
  try {
    const drawing = await drawAlone(loading, opened.device, reopen)
    return drawerOf(drawing, async () => {
      await drawing.close()
      opened.close()
    })
  } catch (error) {
    opened.close()
    throw error
  }
}

const drawerOf = (drawing: Drawing, close: () => Promise<void>): Drawer => ({
  draw: (prompts, { onStep, ...call }) => drawing.draw(prompts, call, (_step, _steps, info) => onStep?.(info)),
  close,
})
