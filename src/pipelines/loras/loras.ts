import type { NetworkClass, PreparedComponent } from '../../models/component.ts'
import { type FittedLora, fitLora } from '../../models/lora/fit.ts'
import { openLoraFile } from '../../models/lora/lora_file.ts'
import { mixed } from '../../models/lora/mixed.ts'
import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'
import type { Source, SourceFile } from '../../runtime/weights/source.ts'
import { openNamedFile } from '../named_file.ts'
import { type CheckedLora, sameFile } from './lora_options.ts'

/** A LoRA that fits the model. */
interface OpenedLora {
  readonly file: string | SourceFile
  readonly id: number
  /** Where it is read from, where it was opened for this. */
  readonly own: Source | undefined
  /** What it adds, by the folders of networks. */
  readonly fitted: ReadonlyMap<string, FittedLora>
}

type MergedLora = OpenedLora & Pick<CheckedLora, 'weight'>

export interface LorasOptions {
  /** For people: the pipeline's class. */
  readonly model: string
  /** Weights are random, and no adapter was trained for them. */
  readonly random?: boolean
  readonly onProgress?: (component: string, loadedBytes: number, totalBytes: number) => void
  /** Text encoders are about to change. */
  textsChange?(): void
  /** Gives up what reading weights anew has opened. */
  release?(): Promise<void>
}

/**
 * The LoRAs in the weights of a pipeline's networks. They are merged: a pass takes no longer with them, and needs no more
 * memory. Where others are wanted, the weights that they change are read anew from the checkpoint, and no others: without
 * any these are the base's again, bit for bit.
 */
export class Loras {
  readonly #networks: Readonly<Record<string, PreparedComponent<NetworkClass>>>
  readonly #options: LorasOptions
  #merged: readonly MergedLora[] = []
  /** Weights, by folders, of which nobody knows what they are: reading them anew failed. */
  readonly #unsure = new Map<string, ReadonlySet<string>>()
  #opened = 0

  /** @param networks by their folders */
  constructor(networks: Readonly<Record<string, PreparedComponent<NetworkClass>>>, options: LorasOptions) {
    this.#networks = networks
    this.#options = options
  }

  /**
   * Has these LoRAs in the weights, and no others: those that are loaded are read anew where that changes them.
   *
   * @throws DitError as openLoraFile and fitLora do, and nothing is changed; as loading does, and what is then unsure is read
   *   anew the next time
   */
  async merge(wanted: readonly CheckedLora[], signal?: AbortSignal): Promise<void> {
    const before = this.#merged
    const loras: MergedLora[] = []
    try {
      for (const { file, weight } of wanted) {
        const there = before.find((one) => sameFile(one.file, file))
        loras.push({ ...(there ?? (await this.#open(file))), weight })
      }
      await this.#apply(
        loras.filter(({ weight }) => weight !== 0),
        signal,
      )
    } finally {
      await closeAll([...before, ...loras])
    }
  }

  /** Gives up what is open of their files. */
  close(): Promise<void> {
    return closeAll(this.#merged)
  }

  async #open(file: string | SourceFile): Promise<OpenedLora> {
    const { model, random } = this.#options
    if (random) {
      throw new DitError(
        'unsupported',
        'the model has random weights, and no LoRA was trained for them',
        'Leave it out.',
      )
    }
    const missing = (cause?: unknown) =>
      new DitError('not-found', `the LoRA ${show(file)} is not there`, 'Check its path or address.', { cause })
    const found = typeof file === 'string' ? await openNamedFile(file, missing) : file
    const own = typeof file === 'string' ? found.source : undefined
    try {
      const fitted = fitLora(await openLoraFile(found), this.#networks, model)
      return { file, id: ++this.#opened, own, fitted }
    } catch (error) {
      await own?.close()
      throw error
    }
  }

  async #apply(loras: readonly MergedLora[], signal?: AbortSignal): Promise<void> {
    const changes = new Map<string, ReadonlySet<string>>()
    for (const folder of Object.keys(this.#networks)) {
      const changed = changedNames(addedTo(folder, this.#merged), addedTo(folder, loras))
      for (const name of this.#unsure.get(folder) ?? []) changed.add(name)
      if (changed.size > 0) changes.set(folder, changed)
    }
    if ([...changes.keys()].some((folder) => folder !== 'transformer' && folder !== 'vae'))
      this.#options.textsChange?.()
    for (const [folder, changed] of changes) {
      const parts = loras.flatMap(({ fitted, weight }) =>
        fitted.has(folder) ? [{ fitted: fitted.get(folder)!, weight }] : [],
      )
      this.#networks[folder].additions.current = mixed(parts)
      this.#unsure.set(folder, changed)
    }
    this.#merged = loras
    const { onProgress, release } = this.#options
    try {
      for (const [folder, changed] of changes) {
        const told = onProgress && ((done: number, total: number) => onProgress(folder, done, total))
        await this.#networks[folder].reload(changed, { onProgress: told, signal })
        this.#unsure.delete(folder)
      }
    } finally {
      if (changes.size > 0) await release?.()
    }
  }
}

const closeAll = async (loras: readonly OpenedLora[]): Promise<void> => {
  for (const { own } of loras) await own?.close()
}

/** What is added to each weight of a network: which LoRAs, and how strong. */
function addedTo(folder: string, loras: readonly MergedLora[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { id, weight, fitted } of loras) {
    for (const name of fitted.get(folder)?.keys() ?? []) names.set(name, `${names.get(name) ?? ''} ${id}:${weight}`)
  }
  return names
}

function changedNames(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Set<string> {
  const all = [...before.keys(), ...after.keys()]
  return new Set(all.filter((name) => before.get(name) !== after.get(name)))
}
