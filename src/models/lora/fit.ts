import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'
import type { LowRank } from '../../runtime/weights/low_rank.ts'
import { listed } from '../../runtime/weights/match_names.ts'
import type { Renaming } from '../original_names.ts'
import { type AdaptedNetwork, flat, type NetworkLayers, networkLayers } from './layers.ts'
import type { LoraFile, LoraPair } from './lora_file.ts'
import { layerPlaces } from './place.ts'

/** What a LoRA adds to each weight, by checkpoint key: read when it is needed, at strength 1. */
export type FittedLora = ReadonlyMap<string, () => Promise<LowRank>>

/** A layer of the file that is one of a network: parts of its rows are those of the network's layers. */
interface Fitting {
  readonly folder: string
  readonly stored: string
  readonly pair: LoraPair
  readonly renaming: Renaming
}

/**
 * What a LoRA adds to the weights of a pipeline's networks: W + alpha / rank · up · down (Hu et al. 2021; peft,
 * tuners/lora/layer.py, and kohya-ss, networks/lora.py, alike). Without an alpha it is the rank, as for both.
 *
 * @param networks by their folders
 * @param model for people: the pipeline's class
 * @returns by the folders of networks
 * @throws DitError 'bad-argument' naming the layers that are none of the networks', or of other shapes; 'corrupt' where a rank
 *   is not what a config says
 */
export function fitLora(
  file: LoraFile,
  networks: Readonly<Record<string, AdaptedNetwork>>,
  model: string,
): ReadonlyMap<string, FittedLora> {
  const classes = Object.fromEntries(Object.entries(networks).map(([folder, { className }]) => [folder, className]))
  const layersOf = new Map<string, NetworkLayers>()
  const layersIn = (folder: string): NetworkLayers | undefined => {
    if (!layersOf.has(folder) && networks[folder]) layersOf.set(folder, networkLayers(networks[folder]))
    return layersOf.get(folder)
  }
  const fitting: Fitting[] = []
  const [unknown, wrong]: string[][] = [[], []]
  for (const [stored, pair] of file.pairs) {
    const place = layerPlaces(stored, classes).find(({ folder, layer }) => layersIn(folder)?.named.has(flat(layer)))
    if (!place) {
      unknown.push(stored)
      continue
    }
    const { shapes, named } = layersIn(place.folder)!
    const renaming = named.get(flat(place.layer))!
    const fault = shapeFault(pair, renaming, shapes)
    if (fault) wrong.push(`${stored} ${fault}`)
    else fitting.push({ folder: place.folder, stored, pair, renaming })
  }
  if (unknown.length + wrong.length > 0) {
    const faults = [listed('layers that it has not', unknown), listed('layers of other shapes', wrong)]
    throw new DitError(
      'bad-argument',
      `${file.where} is a LoRA of another model than this ${model}, by ${unknown.length + wrong.length} of its ${file.pairs.size} layers: ${faults.filter(Boolean).join('; ')}`,
      'Give a LoRA that was trained on this family and size of model.',
    )
  }
  return byWeight(file, fitting)
}

function shapeFault(
  { down, up }: LoraPair,
  renaming: Renaming,
  shapes: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  const [first] = renaming.map(({ name }) => shapes.get(name)!)
  const trimmed = ([out, ...rest]: readonly number[]) => {
    const last = rest.findLastIndex((size) => size !== 1)
    return [out, ...rest.slice(0, Math.max(last, 0) + 1)]
  }
  const shownUp = trimmed(up.shape)
  const inputs = trimmed(first).slice(1).join() === trimmed(down.shape).slice(1).join()
  const rows = renaming.every((row) => {
    const all = [...renaming].filter(({ name }) => name === row.name)
    const share = all.reduce((sum, { first: from, end, of }) => sum + (end - from) / of, 0)
    return Math.abs(share * up.shape[0] - shapes.get(row.name)![0]) < 1e-6
  })
  if (inputs && rows && shownUp.length === 2) return undefined
  const of = [...new Set(renaming.map(({ name }) => name))]
  const expected = of.map((name) => `${name} ${show(shapes.get(name))}`).join(', ')
  return `is ${show(up.shape)} by ${show(down.shape)}, for ${expected}`
}

function byWeight(file: LoraFile, fitting: readonly Fitting[]): ReadonlyMap<string, FittedLora> {
  const added = new Map<string, Map<string, () => Promise<LowRank>>>()
  const sources = new Map<string, string>()
  for (const { folder, stored, pair, renaming } of fitting) {
    const into = added.get(folder) ?? new Map<string, () => Promise<LowRank>>()
    added.set(folder, into)
    for (const name of new Set(renaming.map((row) => row.name))) {
      const key = `${folder} ${name}`
      if (sources.has(key)) {
        throw new DitError('corrupt', `${file.where} adapts ${name} twice: by ${sources.get(key)} and by ${stored}`)
      }
      sources.set(key, stored)
      const scale = scaleOf(file, folder, name, pair)
      const rows = renaming.filter((row) => row.name === name)
      into.set(`${name}.weight`, () => readPair(file, pair, rows, scale))
    }
  }
  return added
}

function scaleOf({ configs }: LoraFile, folder: string, layer: string, { down, alpha }: LoraPair): number {
  const rank = down.shape[0]
  if (alpha !== undefined) return alpha / rank
  return (configs.get(folder) ?? configs.get(''))?.scale(layer, rank) ?? 1
}

async function readPair(file: LoraFile, { down, up }: LoraPair, rows: Renaming, scale: number): Promise<LowRank> {
  const rank = down.shape[0]
  const all = await file.read(up)
  const parts = rows.map(({ first, end, of }) => {
    const part = all.length / of
    return all.subarray(first * part, end * part)
  })
  const scaled = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) for (const value of part) scaled[at++] = value * scale
  return { rank, up: scaled, down: await file.read(down) }
}
