import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import { type TensorSpec, whole } from '../fabric/transport.ts'
import { noted } from '../trace/timeline.ts'
import type { Ranks } from './ranks.ts'

/** What is to come from another stage. */
interface Arrival {
  readonly tensors: Tensor[]
  readonly settled: Promise<void>
}

/**
 * What goes from stage to stage: activations to the next one, new latents from the last to the first. Both are asked for
 * before they are needed, so that they are on the device by then.
 */
export class Border {
  readonly #ranks: Ranks
  readonly #expected: Arrival[] = []
  readonly #latents: Arrival[] = []

  constructor(ranks: Ranks) {
    this.#ranks = ranks
  }

  /** Sends a piece's activations to the next stage. */
  async passOn(g: Recorder, activations: readonly Tensor[]): Promise<void> {
    const { mesh, fabric } = this.#ranks
    await fabric!.send(g, mesh.neighbour('pipefusion', mesh.at('pipefusion') + 1), 'stage.activations', ...activations)
  }

  /**
   * The activations of the next piece; `release` them after their last recorded use. What follows is asked for at once, so
   * that it travels while this piece is computed.
   */
  async takeOver(
    g: Recorder,
    specs: readonly TensorSpec[],
    following: () => readonly TensorSpec[] | undefined,
  ): Promise<Tensor[]> {
    const { tensors, settled } = this.#expected.shift() ?? this.#askForActivations(g, specs)
    const next = following()
    if (next && !g.rehearsing) this.#expected.push(this.#askForActivations(g, next))
    await noted(g.rehearsing ? undefined : this.#ranks.timeline, 'wait', 'stage.activations', () => settled)
    return tensors
  }

  /** Sends a piece's new latents to the first stage. */
  async handBack(g: Recorder, latents: Tensor): Promise<void> {
    const { mesh, fabric } = this.#ranks
    await fabric!.send(g, mesh.neighbour('pipefusion', 0), 'stage.latents', latents)
  }

  /** Prepares for a piece's new latents. */
  expectLatents(g: Recorder, spec: TensorSpec): void {
    const { mesh } = this.#ranks
    const last = mesh.degree('pipefusion') - 1
    this.#latents.push(this.#ask(g, mesh.neighbour('pipefusion', last), 'stage.latents', [spec]))
  }

  /** The latents that were expected first; `release` them after their last recorded use. */
  async takeLatents(): Promise<Tensor> {
    const { tensors, settled } = this.#latents.shift()!
    await noted(this.#ranks.timeline, 'wait', 'stage.latents', () => settled)
    return tensors[0]
  }

  release(g: Recorder, tensors: readonly Tensor[]): void {
    for (const tensor of tensors) g.drop(tensor)
  }

  /** Gives back what never came. */
  drop(g: Recorder): void {
    for (const { tensors } of [...this.#expected.splice(0), ...this.#latents.splice(0)]) this.release(g, tensors)
  }

  #askForActivations(g: Recorder, specs: readonly TensorSpec[]): Arrival {
    const { mesh } = this.#ranks
    return this.#ask(g, mesh.neighbour('pipefusion', mesh.at('pipefusion') - 1), 'stage.activations', specs)
  }

  #ask(g: Recorder, from: number, tag: string, specs: readonly TensorSpec[]): Arrival {
    const tensors = specs.map(({ shape, dtype }) => g.keep(shape, dtype, tag))
    const settled = this.#ranks.fabric!.recvParts(g, from, tag, tensors.map(whole))
    settled.catch(() => {}) // heard when it is awaited
    return { tensors, settled }
  }
}
