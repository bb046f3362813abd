import { assembledCheckpoint, type StoredRows } from '../runtime/weights/assembled.ts'
import type { Checkpoint } from '../runtime/weights/checkpoint.ts'

/** The layers of diffusers that a layer of the network's authors becomes, and which of its rows each takes. */
export type Renaming = readonly (Omit<StoredRows, 'stored'> & { readonly name: string })[]

/** What layers become, by their names with # for the number of a block. One of a block's own number comes first. */
export type Renamings = ReadonlyMap<string, Renaming>

export const renamed = (name: string): Renaming => [{ name, first: 0, end: 1, of: 1 }]

/** Several layers in one: names in the order of their rows, each with so many parts of them. */
export function fused(...layers: readonly (readonly [name: string, parts: number])[]): Renaming {
  const of = layers.reduce((sum, [, parts]) => sum + parts, 0)
  let first = 0
  return layers.map(([name, parts]) => {
    const rows = { name, first, end: first + parts, of }
    first = rows.end
    return rows
  })
}

/** Shift and scale, which diffusers has the other way round. */
export const swapped = (name: string): Renaming => [
  { name, first: 1, end: 2, of: 2 },
  { name, first: 0, end: 1, of: 2 },
]

/** Before the names of the transformer in files that hold the autoencoder and text encoders besides. */
const PREFIX = 'model.diffusion_model.'

/** Tensors of layers. Norms have a scale where diffusers has a weight. */
const LEAVES: Readonly<Record<string, string>> = { weight: '.weight', bias: '.bias', scale: '.weight' }

/**
 * A checkpoint by the names of diffusers, where its blocks have their authors' names; any other as it is. Tensors that no
 * layer is known of keep their names.
 *
 * @param blocks how names of blocks begin there
 * @param renamingsOf told the stored names, without the prefix
 */
export function diffusersNames(
  checkpoint: Checkpoint,
  blocks: RegExp,
  renamingsOf: (names: readonly string[]) => Renamings,
): Checkpoint {
  const all = checkpoint.names()
  const inside = all.filter((name) => name.startsWith(PREFIX))
  const prefix = inside.length > 0 ? PREFIX : ''
  const names = (prefix ? inside : all).map((name) => name.slice(prefix.length))
  if (!names.some((name) => blocks.test(name))) return checkpoint
  const renamings = renamingsOf(names)
  const tensors = new Map<string, StoredRows[]>()
  for (const name of names) {
    for (const { name: found, ...rows } of becomes(name, renamings)) {
      tensors.set(found, [...(tensors.get(found) ?? []), { stored: prefix + name, ...rows }])
    }
  }
  return assembledCheckpoint(checkpoint, tensors)
}

function becomes(name: string, renamings: Renamings): Renaming {
  const [, layer, end] = /^(.*)\.(weight|bias|scale)$/.exec(name) ?? ['', name, '']
  const block = /^\w+\.(\d+)\./.exec(layer)?.[1]
  const anyBlock = block === undefined ? layer : layer.replace(`.${block}.`, '.#.')
  const renaming = renamings.get(layer) ?? renamings.get(anyBlock)
  if (!renaming) return renamed(name)
  return renaming.map((rows) => ({ ...rows, name: rows.name.replace('#', block ?? '#') + (LEAVES[end] ?? '') }))
}
