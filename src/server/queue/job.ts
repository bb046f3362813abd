import type { DitImage } from '../../pipelines/image/image.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import type { Waiting } from './fair_queue.ts'

/** Texts that each picture of a batch has for itself. */
export type Texts = { readonly prompt: string } & {
  readonly [name in TextOption]?: string
}
export const TEXT_OPTIONS = ['prompt2', 'prompt3', 'negativePrompt', 'negativePrompt2', 'negativePrompt3'] as const
export type TextOption = (typeof TEXT_OPTIONS)[number]

/** Options that all pictures of a batch share. */
export type SharedCall = Omit<TeamOptions, TextOption | 'seed' | 'numImagesPerPrompt' | 'onStep' | 'signal'>

/** What is to be drawn: a picture for each seed. */
export interface PictureRequest {
  readonly texts: Texts
  readonly seeds: readonly number[]
  readonly call: SharedCall
}

export interface Drawn {
  readonly image: DitImage
  readonly seed: number
  readonly warnings: readonly string[]
}

/** What is heard of a picture while it is drawn. */
export interface JobListener {
  /** Whether the picture as it forms is wanted after this step. */
  wantsPreview?(step: number, steps: number): boolean
  /** After a step of one of the pictures. */
  stepped?(index: number, step: number, steps: number, preview: DitImage | undefined): void
  /** A picture is finished, of several maybe. */
  drew?(index: number, drawn: Drawn): void
}

/** One picture of a job, as the queue has it. */
export interface Picture extends Waiting {
  readonly job: Job
  readonly index: number
  /** Devices that were lost with it. */
  losses: number
}

/** A request under way: some pictures that one client waits for. */
export class Job {
  readonly request: PictureRequest
  readonly pictures: readonly Picture[]
  readonly listener: JobListener
  /** All pictures, in order. */
  readonly done: Promise<Drawn[]>
  readonly #drawn: (Drawn | undefined)[]
  readonly #endings: (() => void)[] = []
  #settle!: { resolve(drawn: Drawn[]): void; reject(error: unknown): void }
  #ended = false

  constructor(request: PictureRequest, client: string, listener: JobListener = {}) {
    this.request = request
    this.listener = listener
    const shape = JSON.stringify([request.call, Object.keys(request.texts).toSorted()])
    this.pictures = request.seeds.map((_, index) => ({ job: this, index, client, shape, losses: 0 }))
    this.#drawn = Array(request.seeds.length).fill(undefined)
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.done.catch(() => {}) // heard where it is awaited
  }

  /** Whether nobody waits any more. */
  get ended(): boolean {
    return this.#ended
  }

  /** Called once: when the last picture is there, or none is wanted any more. */
  onEnd(listener: () => void): void {
    this.#endings.push(listener)
  }

  drew(index: number, drawn: Drawn): void {
    if (this.#ended) return
    this.#drawn[index] = drawn
    this.listener.drew?.(index, drawn)
    if (this.#drawn.every((one) => one !== undefined)) this.#end(() => this.#settle.resolve(this.#drawn as Drawn[]))
  }

  /** Ends it without its pictures: it failed, or whoever asked has left. */
  fail(error: unknown): void {
    if (!this.#ended) this.#end(() => this.#settle.reject(error))
  }

  #end(settle: () => void): void {
    this.#ended = true
    settle()
    for (const listener of this.#endings) listener()
  }
}
