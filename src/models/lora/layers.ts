import type { Parameters } from '../../runtime/weights/parameters.ts'
import { type ConfigOf, NETWORKS, type NetworkClass } from '../component.ts'
import { type Renaming, type Renamings, renamed } from '../original_names.ts'

/** A network that adapters are for: its class and its config. */
export interface AdaptedNetwork<C extends NetworkClass = NetworkClass> {
  readonly className: C
  readonly config: ConfigOf<C>
}

/** The layers of a network that can be adapted. */
export interface NetworkLayers {
  /** Shapes of weights, by the names of layers. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** What a layer of a file is, by its name with _ for every dot: layers of the network, each with its part of the rows. */
  readonly named: ReadonlyMap<string, Renaming>
}

/** Trainers write names with dots or without. */
export const flat = (name: string): string => name.replaceAll('.', '_')

/** Linear layers and the convolution of patches, by the names of diffusers and by those of the network's authors. */
export function networkLayers({ className, config }: AdaptedNetwork): NetworkLayers {
  // The registry's entries differ in Config only, which this function passes through.
  const network = NETWORKS[className] as unknown as {
    parameters(config: unknown): Parameters
    originalLayers?(config: unknown): Renamings
  }
  const shapes = new Map<string, readonly number[]>()
  for (const [name, { shape, linear }] of network.parameters(config).all) {
    if (linear || shape.length === 4) shapes.set(name.slice(0, -'.weight'.length), shape)
  }
  const named = new Map<string, Renaming>()
  for (const [stored, renaming] of concrete(network.originalLayers?.(config) ?? new Map(), shapes)) {
    named.set(flat(stored), renaming)
  }
  for (const name of shapes.keys()) {
    named.set(flat(name), renamed(name))
    // Recent releases of transformers leave it away.
    if (name.startsWith('text_model.')) named.set(flat(name.slice('text_model.'.length)), renamed(name))
  }
  return { shapes, named }
}

/** Renamings with the numbers of the blocks that there are; those of layers that a network has not fall away. */
function* concrete(renamings: Renamings, shapes: ReadonlyMap<string, unknown>): Generator<[string, Renaming]> {
  const blocks = 1 + Math.max(...[...shapes.keys()].map((name) => Number(/\.(\d+)\./.exec(name)?.[1] ?? 0)))
  for (const [stored, renaming] of renamings) {
    const own = /\.(\d+)\./.exec(stored)?.[1]
    const numbers = stored.includes('#') ? Array.from({ length: blocks }, (_, i) => String(i)) : [own ?? '0']
    for (const block of numbers) {
      const name = stored.replace('#', block)
      const rows = (renamings.get(name) ?? renaming).map((row) => ({ ...row, name: row.name.replace('#', block) }))
      if (rows.every((row) => shapes.has(row.name))) yield [name, rows]
    }
  }
}
