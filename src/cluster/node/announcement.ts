import { DitError } from '../../runtime/errors.ts'
import { untilAnswered } from '../patience.ts'
import { BEAT, type Rooms } from '../rooms.ts'
import { type NodeInfo, nodesOf } from './node_info.ts'

/** From here on a clock is worth a word, in ms: certificates and logs suffer, nothing of webdit does. */
export const SKEW = 2_000

/** A node's entry among those that are there, written anew until it leaves. */
export class Announcement {
  readonly #rooms: Rooms
  readonly #read: () => Omit<NodeInfo, 'skew'>
  #timer: ReturnType<typeof setInterval> | undefined
  #skew = 0

  /** @param read what is to be told */
  constructor(rooms: Rooms, read: () => Omit<NodeInfo, 'skew'>) {
    this.#rooms = rooms
    this.#read = read
  }

  /** @throws DitError 'unsupported' where others run another webdit, or call another model by this one's name */
  async check(): Promise<void> {
    checkAlike(this.#read(), await nodesOf(this.#rooms))
  }

  /**
   * Joins.
   *
   * @returns ms that this machine's clock is ahead of the server's
   * @throws DitError as check
   */
  async join(): Promise<number> {
    const own = this.#read()
    await this.check()
    await this.#write()
    const entry = await untilAnswered(this.#rooms.nc, 'a node', () => this.#rooms.nodes.get(own.id))
    if (entry) this.#skew = Date.now() - entry.created.getTime()
    await this.#write()
    // A server that is away hears of it again when it is back: entries of others that missed as much are gone, too.
    this.#timer = setInterval(() => void this.tell(), BEAT)
    return this.#skew
  }

  /** Tells at once what has changed. */
  async tell(): Promise<void> {
    if (this.#timer) await this.#write().catch(() => {})
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#rooms.nodes.delete(this.#read().id).catch(() => {}) // it vanishes by itself
  }

  async #write(): Promise<void> {
    const info: NodeInfo = { ...this.#read(), skew: this.#skew }
    await this.#rooms.nodes.put(info.id, JSON.stringify(info))
  }
}

/** Which node is free must not decide which picture a request gets. */
function checkAlike({ version, model }: Pick<NodeInfo, 'version' | 'model'>, others: readonly NodeInfo[]): void {
  const older = others.find((other) => other.version !== version)
  if (older) throw mixedVersions(version, older)
  const another = others.find(({ model: { name, digest } }) => name === model.name && digest !== model.digest)
  if (!another) return
  throw new DitError(
    'unsupported',
    `node ${another.id} has another checkpoint that it calls ${JSON.stringify(model.name)}: its digest is ${another.model.digest}, this one's ${model.digest}`,
    'Copy the same files to both and start both with the same --weights, --lora and the like; or call this one otherwise with --model_name.',
  )
}

export const mixedVersions = (own: string, { id, version }: Pick<NodeInfo, 'id' | 'version'>): DitError =>
  new DitError(
    'unsupported',
    `node ${id} runs webdit ${version}, and this is ${own}: versions may draw different pictures`,
    'Run the same version everywhere, or give this one a cluster of its own with --cluster NAME.',
  )
