import type { DitError } from '../../runtime/errors.ts'
import type { Generator, ResumableGenerator } from '../../schedulers/generator.ts'
import type { LoraOptions } from '../loras/lora_options.ts'
import type { PipelineOptions, PipelineOutput } from '../options.ts'
import type { LoadedPipeline } from '../pipeline_run.ts'
import type { Checkpoint, ResumableCall } from './checkpoint.ts'
import { persevere } from './persevere.ts'
import { isResumable, RewindableGenerator } from './rewindable.ts'

/** Loads the pipeline anew, with the LoRAs that it had, on another device. @throws DitError where there is none */
export type Reload = (lost: LoadedPipeline, cause: DitError, signal?: AbortSignal) => Promise<LoadedPipeline>

/** A pipeline whose calls go on where they were when its device was lost, on another one. */
export class SurvivingPipeline {
  #loaded: LoadedPipeline
  readonly #reload: Reload | undefined
  #busy: Promise<unknown> = Promise.resolve()

  /** @param reload none where calls are to fail */
  constructor(loaded: LoadedPipeline, reload: Reload | undefined) {
    this.#loaded = loaded
    this.#reload = reload
  }

  /** What draws at present. */
  get loaded(): LoadedPipeline {
    return this.#loaded
  }

  /** Draws pictures. Calls that overlap wait for each other. */
  run(prompt: string | string[], options: ResumableCall = {}): Promise<PipelineOutput> {
    return this.#inTurn(() =>
      this.#reload ? this.#draw(this.#reload, prompt, options) : this.#loaded.run(prompt, options),
    )
  }

  loadLora(lora: LoraOptions): Promise<void> {
    return this.#inTurn(() => this.#loaded.loadLora(lora))
  }

  unloadLora(file?: LoraOptions['file']): Promise<void> {
    return this.#inTurn(() => this.#loaded.unloadLora(file))
  }

  #draw(reload: Reload, prompt: string | string[], options: ResumableCall): Promise<PipelineOutput> {
    const { onResume, signal } = options
    const own = ownGenerator(options.generator)
    const beginning = own?.save()
    const generator = own ?? options.generator
    let last: Checkpoint | undefined
    const onCheckpoint = (checkpoint: Checkpoint) => {
      last = checkpoint
      if (own instanceof RewindableGenerator) own.forget(checkpoint.noise.generators[0])
      options.onCheckpoint?.(checkpoint)
    }
    return persevere({
      attempt: () => {
        if (last) {
          const resume = { pictures: last.pictures, checkpoints: [last] }
          return this.#loaded.run(prompt, { ...options, generator, onCheckpoint, resume })
        }
        if (beginning) own?.restore(beginning)
        return this.#loaded.run(prompt, { ...options, generator, onCheckpoint })
      },
      done: () => ({ step: last?.step ?? 0, all: last?.step ?? 0 }),
      mend: async (cause, step) => {
        if (cause.kind === 'device-lost') this.#loaded = await reload(this.#loaded, cause, signal)
        onResume?.({ cause, step, device: this.#loaded.components.device.name })
      },
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work)
    this.#busy = done.catch(() => {})
    return done
  }
}

/** The caller's own numbers, such that they can be had again. */
function ownGenerator(given: PipelineOptions['generator']): ResumableGenerator | undefined {
  const own = given as Generator | undefined
  if (typeof own?.randn !== 'function') return undefined
  return isResumable(own) ? own : new RewindableGenerator(own)
}
