import type { RequestCache } from '../caches/request_cache.ts'
import type { Crew } from '../parallel/crew/crew.ts'
import type { Piece } from '../parallel/crew/pieces.ts'
import type { TensorSpec } from '../parallel/fabric/transport.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Execution } from '../runtime/execution.ts'
import { combine, join, narrow, place, rescaleGuidance } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import { FiniteWatch } from './finite.ts'
import { KeptTensors } from './kept_tensors.ts'
import type { SolverValues } from './resume/checkpoint.ts'
import { joinedRows } from './resume/joined_rows.ts'
import { historyNeeded, type SolverState, solverStep } from './solver_step.ts'
import { StepReader } from './step_reader.ts'

/** A family's transformer as denoising sees it. */
export interface DenoisingNetwork {
  /** Rows of latents that a row of tokens stands for. */
  readonly patch: number
  readonly guidance: number
  /** How far guided predictions are brought to the deviation of those with the prompt. Default: not at all. */
  readonly rescale?: number
  /** Steps that compute more than the others, if there are some. */
  readonly longerSteps?: readonly number[]
  /** What goes from stage to stage before `block`, for so many tokens: of the `first` piece of a step, or of a later one. */
  activations(tokens: number, first: boolean, block: number): readonly TensorSpec[]
  /**
   * @param latents of the whole picture, on the first stage
   * @param activations of the stage before, on the others
   * @returns activations, on the last stage patches [pictures · branches, tokens, values]
   */
  forward(
    g: Recorder,
    inputs: {
      readonly latents?: Tensor
      readonly activations?: readonly Tensor[]
      readonly timestep: number
      readonly step: number
    },
    execution: Execution,
  ): Promise<readonly Tensor[]>
  /** Patches of whole rows → [pictures, channels, rows · patch, width]. */
  unpatchify(g: Recorder, patches: Tensor, rows: number): Tensor
}

export interface DenoiseOptions {
  crew: Crew
  network: DenoisingNetwork
  /** Unit noise times the scheduler's init_noise_sigma, [pictures, channels, height, width]. */
  latents: Tensor
  /** Instead of the beginning: `latents` are those after so many steps, and this is what the solver looks back at. */
  from?: { readonly step: number; readonly history: readonly Tensor[] }
  scheduler: Scheduler
  /** Spares passes some of their blocks. */
  cache?: RequestCache
  /** Fresh unit noise of the latents' shape; asked for in the order of the steps, by schedulers that draw some. */
  noise?: () => Float32Array
  signal?: AbortSignal
  /**
   * Called on the crew's leader when a step is recorded; what it returns, with what it takes to go on after that step, when
   * it has run on the device and before `onStep` is called.
   */
  onRecorded?: (step: number) => (values: SolverValues) => void
  /** Called on the crew's leader when a step has run on the device. */
  onStep?: (step: number, timestep: number, progress: Progress) => void | Promise<void>
}

/** What the leader can tell of the picture after a step, [pictures, channels, height, width]. */
export interface Progress {
  latents(): Promise<Float32Array>
  /** What the network takes the picture for. */
  denoised(): Promise<Float32Array>
}

/** The loop that all pipelines share: predict, step, once for each timestep. The final latents are the last stage's. */
export async function denoise(g: Recorder, options: DenoiseOptions): Promise<Tensor | undefined> {
  const denoising = new Denoising(g, options)
  try {
    await denoising.open()
    await allSteps(g, options, denoising)
    return denoising.finish()
  } finally {
    denoising.close()
  }
}

async function allSteps(g: Recorder, options: DenoiseOptions, denoising: Denoising): Promise<void> {
  const { crew, scheduler, signal, from, onStep } = options
  const onRecorded = crew.leads ? options.onRecorded : undefined
  const steps = scheduler.timesteps.length
  /** What is left of the step before: to wait for it, and to tell of it. */
  let running: (() => Promise<void>) | undefined
  for (let i = from?.step ?? 0; i < steps; i++) {
    throwIfAborted(signal)
    await g.phase('step', async () => {
      await denoising.step(i)
      await g.flush()
    })
    // A step is recorded while the device computes the one before, so that it never waits for the host. Stages run ahead of
    // each other anyway; one that waited for its device would wait for all.
    await running?.()
    const told = onRecorded?.(i + 1)
    // What the last stage reads is there before it can record another step, of which it needs the first stage's part.
    const ran = told ? denoising.ran(i + 1) : crew.stages === 1 ? denoising.ran() : undefined
    const progress = crew.leads && onStep ? denoising.kept() : undefined
    running = async () => {
      const values = await ran
      if (values) told?.(values)
      if (progress) await onStep?.(i + 1, scheduler.timesteps[i], progress)
      progress?.drop()
    }
  }
  await running?.()
  await denoising.ran()
}

/** Compiles and reserves what denoising takes, and runs nothing. For use in a rehearsal. */
export async function rehearseDenoising(g: Recorder, options: DenoiseOptions): Promise<void> {
  const denoising = new Denoising(g, options)
  const { crew, network } = options
  const longer = network.longerSteps?.find((step) => step >= (options.from?.step ?? 0))
  const kinds = new Set([...crew.kindsOfSteps, ...(longer === undefined ? [] : [longer])])
  for (const step of kinds) await g.phase('step', () => denoising.step(step))
  denoising.finish()
  crew.end(g)
}

/** A piece of the picture as the last stage has it. */
interface PieceState extends SolverState {
  readonly piece: Piece
}

class Denoising {
  readonly #g: Recorder
  readonly #o: DenoiseOptions
  /** The whole picture, on the first stage. */
  #picture: Tensor
  #states: PieceState[]
  /** Pieces whose new latents the last stage is yet to send, and of which step they will be. */
  #outstanding: { readonly piece: Piece; readonly step: number }[] = []
  #stepNoise: Float32Array | undefined
  readonly #kept: KeptTensors
  /** Where this rank speaks for its crew. */
  readonly #watch: FiniteWatch | undefined
  readonly #reader = new StepReader()

  constructor(g: Recorder, options: DenoiseOptions) {
    this.#g = g
    this.#o = options
    this.#picture = options.latents
    this.#kept = new KeptTensors(g)
    this.#states = [{ piece: options.crew.whole, latents: options.latents, history: options.from?.history ?? [] }]
    this.#watch = options.crew.leads ? new FiniteWatch(g, options.scheduler.timesteps.length) : undefined
  }

  /** To be awaited before `ran`. */
  async open(): Promise<void> {
    const { latents, scheduler, from, onRecorded } = this.#o
    if (!this.#watch) return
    const steps = Array.from({ length: scheduler.timesteps.length }, (_, i) => i).slice(from?.step ?? 0)
    const read = onRecorded ? 1 + Math.max(0, ...steps.map((i) => historyNeeded(scheduler, i))) : 0
    await this.#reader.open(this.#g, this.#watch.noted.bytes + read * latents.bytes)
  }

  async step(i: number): Promise<void> {
    const { crew } = this.#o
    this.#stepNoise = undefined
    const pieces = crew.pieces(i)
    if (crew.blocks.tail && this.#states.length !== pieces.length) this.#split(pieces)
    for (const piece of pieces) await this.#through(i, piece)
  }

  async #through(i: number, piece: Piece): Promise<void> {
    const { crew, network, scheduler } = this.#o
    const { head, tail } = crew.blocks
    const g = this.#g
    const last = i + 1 === scheduler.timesteps.length
    if (head) await this.#receiveLatents(i, piece)
    const activations = head
      ? undefined
      : await crew.border.takeOver(g, this.#entering(piece), () => this.#following(i, piece))
    const result = await crew.computing(g, i, piece, () =>
      g.scope(async () => {
        const scale = scheduler.scaleModelInput(i)
        const latents = head ? (scale === 1 ? this.#picture : combine(g, [[this.#picture, scale]])) : undefined
        const inputs = { latents, activations, timestep: scheduler.timesteps[i], step: i }
        const out = await network.forward(g, inputs, this.#execution(i, piece))
        if (!tail) {
          await crew.border.passOn(g, out.slice(0, this.#specs(piece, crew.blocks.end).length))
          return undefined
        }
        const output = await this.#guided(piece, out[0])
        const state = this.#states[piece.index]
        return solverStep(g, state, output, scheduler, i, () => this.#noise(piece))
      }),
    )
    if (activations) crew.border.release(g, activations)
    if (head && !tail && !last) this.#expectLatents(i, piece)
    if (!result) return
    this.#watch?.look(g, result.latents, i)
    await this.#take(piece, result, last)
  }

  #execution(i: number, piece: Piece): Execution {
    const { crew, cache } = this.#o
    const tokens = crew.pieces(i).map((one) => one.tokens)
    return { ...crew.execution(i, piece), cache: cache?.at(this.#g, i, piece.tokens, tokens) }
  }

  /** What the network predicts of a piece, guided: [pictures, channels, rows, width]. */
  async #guided(piece: Piece, patches: Tensor): Promise<Tensor> {
    const { crew, network } = this.#o
    const g = this.#g
    const rescaled = (network.rescale ?? 0) > 0
    const rows = piece.rows.end - piece.rows.first
    const { guided, prompted } = await crew.predicted(g, piece, patches, network.guidance, rescaled)
    const output = network.unpatchify(g, guided, rows)
    return prompted ? rescaleGuidance(g, output, network.unpatchify(g, prompted, rows), network.rescale!) : output
  }

  /** The last stage's new state of a piece. */
  async #take(piece: Piece, next: SolverState, last: boolean): Promise<void> {
    const { crew } = this.#o
    const g = this.#g
    const before = this.#states[piece.index]
    this.#states[piece.index] = { piece, ...next }
    if (crew.stages > 1) {
      if (!last) await crew.border.handBack(g, next.latents)
    } else if (this.#states.length === 1) this.#picture = next.latents
    else place(g, this.#picture, 2, piece.rows.first * this.#o.network.patch, next.latents)
    for (const tensor of [before.latents, ...before.history]) {
      if (tensor !== next.latents && tensor !== this.#picture && !next.history.includes(tensor))
        this.#kept.release(tensor)
    }
  }

  /** Cuts what the solver has of the whole picture into pieces. */
  #split(pieces: readonly Piece[]): void {
    const g = this.#g
    const { patch } = this.#o.network
    const [{ latents, history }] = this.#states
    // From now on pieces are written into the picture, which somebody may still want to read as it was.
    if (this.#kept.isKept(this.#picture)) this.#picture = narrow(g, this.#picture, 2, 0, this.#picture.dim(2))
    const cut = (x: Tensor, { rows }: Piece) => narrow(g, x, 2, rows.first * patch, rows.end * patch)
    this.#states = pieces.map((piece) => ({
      piece,
      latents: cut(latents, piece),
      history: history.map((d) => cut(d, piece)),
    }))
    for (const tensor of [latents, ...history]) if (tensor !== this.#picture) this.#kept.release(tensor)
  }

  #expectLatents(step: number, piece: Piece): void {
    const { crew, network } = this.#o
    const [pictures, channels, , width] = this.#picture.shape
    const rows = (piece.rows.end - piece.rows.first) * network.patch
    crew.border.expectLatents(this.#g, { shape: [pictures, channels, rows, width], dtype: 'f32' })
    this.#outstanding.push({ piece, step })
  }

  /** Takes in what the steps before made of the rows of a piece; pieces of its own step are still on their way round. */
  async #receiveLatents(i: number, { rows }: Piece): Promise<void> {
    const { crew, network } = this.#o
    for (;;) {
      const [next] = this.#outstanding
      if (!next || next.step >= i || next.piece.rows.first >= rows.end) return
      this.#outstanding.shift()
      const latents = await crew.border.takeLatents()
      place(this.#g, this.#picture, 2, next.piece.rows.first * network.patch, latents)
      crew.border.release(this.#g, [latents])
    }
  }

  /** What crosses the border before `block` of a piece. */
  #specs(piece: Piece, block: number): readonly TensorSpec[] {
    const { first, end } = this.#o.crew.tokens(piece)
    return this.#o.network.activations(end - first, piece.index === 0, block)
  }

  #entering(piece: Piece): readonly TensorSpec[] {
    return this.#specs(piece, this.#o.crew.blocks.first)
  }

  /** What comes from the stage before after this piece. */
  #following(i: number, piece: Piece): readonly TensorSpec[] | undefined {
    const { crew, scheduler } = this.#o
    const [here, there] = [
      crew.pieces(i)[piece.index + 1],
      i + 1 < scheduler.timesteps.length ? crew.pieces(i + 1)[0] : undefined,
    ]
    return here ? this.#entering(here) : there && this.#entering(there)
  }

  /** The rows of a piece of the noise that this step draws, [pictures, channels, rows, width]. */
  #noise({ rows }: Piece): Float32Array {
    const { noise, network, latents } = this.#o
    this.#stepNoise ??= noise!()
    if (this.#states.length === 1) return this.#stepNoise
    const [pictures, channels, height, width] = latents.shape
    const [first, end] = [rows.first * network.patch, rows.end * network.patch]
    const planes = Array.from({ length: pictures * channels }, (_, plane) =>
      this.#stepNoise!.subarray((plane * height + first) * width, (plane * height + end) * width),
    )
    const out = new Float32Array(planes.length * (end - first) * width)
    for (const [k, plane] of planes.entries()) out.set(plane, k * plane.length)
    return out
  }

  /** The picture as it is after the last recorded step, which later ones leave alone until it is dropped. */
  kept(): Progress & { drop(): void } {
    const g = this.#g
    const states = [...this.#states]
    const joined = (part: (state: PieceState) => Tensor) => g.scope(() => g.read(join(g, states.map(part), 2)))
    return {
      latents: () => joined((state) => state.latents),
      denoised: () => joined((state) => state.history[0]),
      drop: this.#kept.keep(states.flatMap(({ latents, history }) => [latents, ...history])),
    }
  }

  /**
   * Settles when the device has run all that is submitted by now.
   *
   * @param steps so many, after which the rank that leads reads what it takes to go on
   * @throws DitError 'corrupt' naming the step after which latents were no finite numbers, on the rank that leads
   */
  ran(steps?: number): Promise<SolverValues | undefined> {
    const ran = this.#watch ? this.#read(this.#watch, steps) : this.#g.device.finished().then(() => undefined)
    // Heard when it is awaited, if no other failure comes before.
    ran.catch(() => {})
    return ran
  }

  async #read(watch: FiniteWatch, steps: number | undefined): Promise<SolverValues | undefined> {
    const states = this.#states
    const history =
      steps === undefined ? 0 : Math.min(historyNeeded(this.#o.scheduler, steps), states[0].history.length)
    const parts = (state: PieceState) => [state.latents, ...state.history.slice(0, history)]
    const tensors = steps === undefined ? [] : states.flatMap(parts)
    const [noted, ...values] = await this.#reader.read(this.#g, [watch.noted, ...tensors])
    watch.check(noted)
    if (steps === undefined) return undefined
    const shapes = states.map(({ latents }) => latents.shape)
    const joined = (part: number) =>
      joinedRows(
        states.map((_, k) => new Float32Array(values[k * (1 + history) + part])),
        shapes,
      )
    return { latents: joined(0), history: Array.from({ length: history }, (_, k) => joined(1 + k)) }
  }

  /** Whatever has come of it. */
  close(): void {
    this.#reader.close()
  }

  /** The final latents, on the last stage; nothing else stays behind. */
  finish(): Tensor | undefined {
    const g = this.#g
    this.#watch?.drop(g)
    this.#o.cache?.drop(g)
    const { tail } = this.#o.crew.blocks
    const kept = tail
      ? join(
          g,
          this.#states.map(({ latents }) => latents),
          2,
        )
      : undefined
    for (const tensor of [this.#picture, ...this.#states.flatMap(({ latents, history }) => [latents, ...history])]) {
      if (tensor !== kept) g.release(tensor)
    }
    return kept
  }
}
