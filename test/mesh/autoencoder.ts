import { loadComponent } from '../../src/models/component.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { HALVES, type Half, onOneDevice, stacked, type Values } from '../parallel/vae/vae_halves.ts'
import { testDevice } from '../support/device.ts'
import { random, relativeL2 } from '../support/numbers.ts'
import { onRanks } from '../support/ranks.ts'

export const RANKS = [1, 2, 3, 5, 8]
const LIMIT = 1e-5

/** A row of the table, and whether it is over the limit. */
export interface Outcome {
  readonly cells: readonly (string | number)[]
  readonly error: number
  readonly over: boolean
}

/** The autoencoder of a model over some numbers of ranks, at a picture's size, against one device: both halves. */
export async function* autoencoderRows(model: string, [height, width]: readonly number[]): AsyncGenerator<Outcome> {
  const source = await openFolder(model)
  const device = await testDevice()
  const vae = await loadComponent(device, 'AutoencoderKL', source, 'vae')
  await source.close()
  const { scale, latentChannels } = vae.config
  const inputs: Record<Half, readonly number[]> = {
    decode: [1, latentChannels, height / scale, width / scale],
    encode: [1, 3, height, width],
  }
  for (const half of ['decode', 'encode'] as const) {
    const shape = inputs[half]
    const x: Values = { data: random(shape.reduce((a, b) => a * b)), shape }
    const whole = await onOneDevice(half, vae, x)
    const [alone] = await memoryAndRows(1, half, vae, x)
    for (const ranks of RANKS) {
      const parts = await memoryAndRows(ranks, half, vae, x)
      const error = relativeL2(stacked(parts, whole.shape), whole.data)
      const memory = Math.max(...parts.map(({ used }) => used)) / alone.used
      const cells = [`${height}x${width}`, half, ranks, error.toExponential(1), memory.toFixed(2)]
      yield { cells, error, over: !(error <= LIMIT) }
    }
  }
  vae.weights.free()
}

/** What each rank has in the end, and the most bytes of activations that it had in use. */
async function memoryAndRows(count: number, half: Half, vae: Parameters<typeof onOneDevice>[1], x: Values) {
  const ranks = Array.from({ length: count }, (_, k) => k)
  return onRanks(count, async ({ g, device, fabric }) => {
    const group = { ranks, index: fabric.rank }
    const z = g.upload(x.data, x.shape)
    const { rows, shares } = await g.phase('vae', () =>
      HALVES[half].part(g, vae.config, vae.weights, z, { fabric, group }),
    )
    const read = rows && { data: await g.read(rows), shape: [...rows.shape] }
    return { rows: read, share: shares[group.index], sent: fabric.sent, used: device.arena.phases.get('vae')!.used }
  })
}
