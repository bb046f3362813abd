import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { saysStuck } from '../../parallel/fabric/watchdog.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { DitError } from '../../runtime/errors.ts'
import { rankNamed } from './blame.ts'
import type { RankCard } from './rank_cards.ts'
import type { ResumableTeam } from './team.ts'

/** A driver takes its time. */
const PAUSES = [0, 1000]

export interface KeptMesh {
  readonly config: ParallelConfig
  /** What each rank opens; undefined where all are on one device. */
  readonly cards: readonly RankCard[] | undefined
}

export interface MeshKeeperOptions {
  /** ms before each try to start all ranks again. */
  readonly pauses?: readonly number[]
  start(mesh: KeptMesh): Promise<ResumableTeam>
  /** How those that are left of a mesh divide the work. @param left their places in it */
  smaller(before: ParallelConfig, left: readonly number[]): Promise<ParallelConfig>
}

/** Starts ranks anew in place of a team that failed: as many as there were, or as many as still can. */
export class MeshKeeper {
  readonly #o: MeshKeeperOptions
  #mesh: KeptMesh
  /** The rank that was last started again for its failure. */
  #blamed: number | undefined

  constructor(mesh: KeptMesh, options: MeshKeeperOptions) {
    this.#mesh = mesh
    this.#o = options
  }

  get config(): ParallelConfig {
    return this.#mesh.config
  }

  /** Steps were done: whoever failed before has made up for it. */
  forgive(): void {
    this.#blamed = undefined
  }

  /**
   * @param cause what the team before failed with
   * @throws DitError the cause, and why there is no other team
   */
  async start(cause: DitError): Promise<ResumableTeam> {
    let lost = rankNamed(cause)
    const again = !saysStuck(cause) && (lost === undefined || lost !== this.#blamed)
    this.#blamed = lost
    for (let without = !again; ; without = true) {
      if (without) {
        const left = await this.#without(lost)
        if (!left) throw cause
        this.#mesh = left
        this.#blamed = undefined
      }
      const started = await this.#tries()
      if (!(started instanceof DitError)) return started
      const { cards } = this.#mesh
      if (!isGone(started) || !cards || cards.length === 1) throw nothingLeft(cause, started)
      lost = rankNamed(started) ?? lost
    }
  }

  /** A team, or why there is none. */
  async #tries(): Promise<ResumableTeam | DitError> {
    let last: DitError | undefined
    for (const pause of this.#o.pauses ?? PAUSES) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      try {
        return await this.#o.start(this.#mesh)
      } catch (error) {
        if (!(error instanceof DitError) || error.kind === 'aborted') throw error
        last = error
        if (!isGone(error)) break
      }
    }
    return last!
  }

  /** What is left without a rank, or without the last where none is to blame; undefined where that is nothing. */
  async #without(lost: number | undefined): Promise<KeptMesh | undefined> {
    const { config, cards } = this.#mesh
    const size = sizeOf(config.degrees)
    if (!cards || size === 1) return undefined
    const gone = lost !== undefined && lost < size ? lost : size - 1
    const left = Array.from({ length: size }, (_, rank) => rank).filter((rank) => rank !== gone)
    const smaller = await this.#o.smaller(config, left)
    return { config: smaller, cards: left.slice(0, sizeOf(smaller.degrees)).map((rank) => cards[rank]) }
  }
}

const isGone = ({ kind }: DitError): boolean => kind === 'device-lost' || kind === 'no-adapter'

function nothingLeft(cause: DitError, why: DitError): DitError {
  const message = `${cause.message}; and no other ranks could be started: ${why.message}`
  return new DitError('device-lost', message, why.hint, { cause: why })
}
