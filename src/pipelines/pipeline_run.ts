import type { Agreement } from '../caches/agreement.ts'
import { RequestCache } from '../caches/request_cache.ts'
import type { CacheSettings } from '../caches/settings.ts'
import { Crew } from '../parallel/crew/crew.ts'
import { dealt, dealtOf } from '../parallel/crew/dealt.ts'
import { oneRank, type Ranks } from '../parallel/crew/ranks.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import { DitError } from '../runtime/errors.ts'
import { storedAs } from '../runtime/kernels.ts'
import { gather } from '../runtime/ops/index.ts'
import { Recorder } from '../runtime/recorder.ts'
import type { Share } from '../runtime/shares.ts'
import { show } from '../runtime/show.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../runtime/tensor.ts'
import { createScheduler } from '../schedulers/index.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import { checkDecoding, type Decoder, decodePictures, notANumber, rehearseDecoding } from './decode_latents.ts'
import { type DenoiseOptions, type DenoisingNetwork, denoise, type Progress, rehearseDenoising } from './denoise.ts'
import type { Components, Family, Guidance, ReadTexts, TransformerFacts } from './family.ts'
import type { DitImage } from './image/image.ts'
import type { RgbBytes } from './image/lanczos.ts'
import { checkEncoding, ImageStart, leaveOutSteps } from './image_to_image.ts'
import { inputImages, withImageDefaults } from './input_images.ts'
import { type CheckedLora, checkLoras, type LoraOptions, nameOf, sameFile } from './loras/lora_options.ts'
import { type NoiseState, RunNoise } from './noise.ts'
import { textKey } from './offload.ts'
import { checkNumber, type PipelineOutput } from './options.ts'
import { checkOwnOptions } from './own_options.ts'
import { type PictureSize, sizeDrawn } from './picture_size.ts'
import { type BatchTexts, batchTexts, type PictureTexts, textsOf } from './picture_texts.ts'
import { previews } from './preview.ts'
import { type Checkpoint, checkpointOf, type ResumableCall, type SolverValues } from './resume/checkpoint.ts'
import { assist, decoderOf, decodes } from './shared_decoding.ts'
import { sharedText } from './shared_text.ts'
import { checkCacheDivided, stepCacheOf } from './step_cache.ts'

/** A loaded pipeline of any family. */
export class LoadedPipeline {
  readonly family: Family
  readonly components: Components
  readonly #recorder: Recorder
  #loras: readonly CheckedLora[]
  #busy: Promise<unknown> = Promise.resolve()

  /** @param loras those that are merged into the weights */
  constructor(family: Family, components: Components, loras: readonly CheckedLora[] = []) {
    this.family = family
    this.components = components
    this.#loras = loras
    this.#recorder = new Recorder(components.device)
  }

  /** Draws pictures. Calls that overlap wait for each other. */
  run(prompt: string | string[], options: ResumableCall = {}): Promise<PipelineOutput> {
    const run = this.#busy.then(async () => {
      const g = this.#recorder
      try {
        return await g.device.during(async () => {
          const { family, components } = this
          const run = new PipelineRun(family, components, g, prompt, options)
          await components.loras.merge(options.loras ? checkLoras(options.loras) : this.#loras, options.signal)
          return run.draw()
        })
      } catch (error) {
        // The other ranks need not wait for what will not come.
        this.components.ranks?.fabric?.fail(error)
        g.reset()
        // Another try has more to take from.
        if (error instanceof DitError && error.kind === 'out-of-memory') g.device.arena.trim()
        throw error
      } finally {
        g.reset()
      }
    })
    this.#busy = run.catch(() => {})
    return run
  }

  /** Those that calls draw with which name none. */
  get loras(): readonly CheckedLora[] {
    return this.#loras
  }

  async loadLora(lora: LoraOptions): Promise<void> {
    const [checked] = checkLoras([lora])
    return this.#change((loras) => [...loras.filter(({ file }) => !sameFile(file, checked.file)), checked])
  }

  async unloadLora(file?: LoraOptions['file']): Promise<void> {
    return this.#change((loras) => {
      const left = loras.filter((one) => file !== undefined && !sameFile(one.file, file))
      if (file === undefined || left.length < loras.length) return left
      throw new DitError(
        'bad-argument',
        `the LoRA ${show(nameOf(file))} is not loaded`,
        loras.length > 0 ? `Loaded are ${loras.map((one) => nameOf(one.file)).join(', ')}.` : 'None is.',
      )
    })
  }

  /** In its turn among calls. */
  #change(to: (loras: readonly CheckedLora[]) => readonly CheckedLora[]): Promise<void> {
    const changed = this.#busy.then(async () => {
      const loras = to(this.#loras)
      await this.components.loras.merge(loras)
      this.#loras = loras
    })
    this.#busy = changed.catch(() => {})
    return changed
  }

  /** Frees the weights. */
  dispose(): void {
    for (const { weights } of [...Object.values(this.components.networks), this.components.vae]) weights.free()
    this.components.device.arena.trim()
    void this.components.offload?.close()
    void this.components.loras.close()
  }
}

/** One call: its checked options and what follows from them. */
class PipelineRun {
  readonly #family: Family
  readonly #c: Components
  readonly #g: Recorder
  readonly #options: ResumableCall
  readonly #texts: PictureTexts[]
  readonly #ranks: Ranks
  readonly #crew: Crew
  /** The pictures of this crew, of all that are drawn. */
  readonly #dealt: Share
  /** Where they go on, if not at the beginning. */
  readonly #from: Checkpoint | undefined
  readonly #facts: TransformerFacts
  readonly #size: PictureSize
  readonly #guidance: Guidance
  readonly #allPictures: number
  /** What drawing starts from, unless it is noise alone: one for all prompts, or one for each. */
  readonly #images: readonly RgbBytes[] | undefined
  readonly #scheduler: Scheduler
  readonly #cacheSettings: CacheSettings | undefined
  /** Of the run itself. */
  #cache: RequestCache | undefined
  readonly #warnings: string[] = []

  constructor(family: Family, c: Components, g: Recorder, prompt: string | string[], given: ResumableCall) {
    const options: ResumableCall = withImageDefaults(family, given)
    this.#family = family
    this.#c = c
    this.#g = g
    this.#options = options
    const all = textsOf(prompt, options)
    this.#ranks = c.ranks ?? oneRank()
    this.#allPictures = all.length
    const { resume } = options
    this.#dealt = resume ? dealtOf(this.#ranks, resume.pictures) : dealt(this.#ranks, all.length)
    this.#from = checkpointOf(this.#dealt, resume?.checkpoints)
    this.#texts = all.slice(this.#dealt.first, this.#dealt.end)
    checkOwnOptions(c.className, family, options)
    this.#images = inputImages(c, options, all.length / (options.numImagesPerPrompt ?? 1))
    checkNumber('guidanceScale', options.guidanceScale ?? family.defaults.guidanceScale, 0, 1000)
    this.#guidance = family.guidance(options)
    family.checkDivided?.(options, this.#ranks.config)
    this.#cacheSettings = stepCacheOf(c.className, family, options)
    checkCacheDivided(this.#cacheSettings, this.#ranks.config)
    this.#facts = c.transformerFacts
    this.#size = sizeDrawn(options, { ...this.#facts, scale: c.vae.config.scale, binning: family.binning })
    const eta = checkNumber('eta', options.eta ?? 0, 0, 1)
    this.#scheduler = createScheduler(c.schedulerConfig)
    const steps = options.numInferenceSteps ?? family.defaults.numInferenceSteps
    const tokens = this.#size.grid.rows * this.#size.grid.columns
    family.setTimesteps(this.#scheduler, { steps, eta, tokens, config: c.schedulerConfig })
    leaveOutSteps(this.#scheduler, steps, options)
    const { outHeight, outWidth } = this.#size
    if ((options.height ?? outHeight) !== outHeight || (options.width ?? outWidth) !== outWidth) {
      this.#warnings.push(
        `the picture is ${outWidth} x ${outHeight} pixels, the nearest size that the model was trained for`,
      )
    }
    if (eta > 0 && !this.#scheduler.takesEta) {
      this.#warnings.push(`eta is ${eta}, which only DDIMScheduler takes: the model's scheduler does without it`)
    }
    this.#crew = new Crew(this.#ranks, {
      blocks: this.#facts.blocks,
      grid: this.#size.grid,
      steps: this.#scheduler.timesteps.length,
      first: this.#from?.step,
      guided: this.#guidance.guided,
    })
    if (this.#from && !this.#goesOnExactly) {
      const { step, steps } = this.#from
      this.#warnings.push(
        `drawing was broken off after step ${step} of ${steps}, and what was kept from step to step began anew: the picture differs a little`,
      )
    }
  }

  /** Whether all that goes from step to step is in a checkpoint. */
  get #goesOnExactly(): boolean {
    const { config } = this.#ranks
    const last = this.#from?.step === this.#scheduler.timesteps.length
    return last || !(this.#cacheSettings || config.distrifusion || config.numPipelinePatch > 1)
  }

  /** What this rank has to give: pictures where it leads its crew, else none. */
  async draw(): Promise<PipelineOutput> {
    const g = this.#g
    if (this.#texts.length === 0) return this.#output([], new Float32Array(), undefined)
    this.#checkSizes()
    const from = this.#from
    const noise = new RunNoise([this.#allPictures, ...this.#latentShape.slice(1)], this.#options)
    if (from) noise.restore(from.noise)
    const start = from ? undefined : this.#imageStart(noise)
    const initial = from ? from.latents : this.#share(noise.initial())
    const texts = this.#readTexts()
    const { offload } = this.#c
    const rehearse = async () => {
      if (start) await offload?.enter(g, 'vae')
      await start?.rehearse(g)
      await this.#rehearse(texts)
    }
    await (offload ? offload.rehearsal(rehearse) : rehearse())
    throwIfAborted(this.#options.signal)

    const { initNoiseSigma } = this.#scheduler
    if (start) await offload?.enter(g, 'vae', this.#options.signal)
    const scaled = start
      ? await start.latents(g, this.#scheduler, initial)
      : from
        ? initial
        : initial.map((value) => value * initNoiseSigma)
    const network = await this.#encodeTexts(texts)
    const denoising = this.#denoising(network, g.upload(scaled, this.#latentShape, 'latents'))
    this.#cache = denoising.cache
    const latents = await denoise(g, {
      ...denoising,
      noise: () => this.#share(noise.next()),
      signal: this.#options.signal,
      onRecorded: this.#options.onCheckpoint && ((step) => this.#keeping(step, noise.save())),
      onStep: (step, timestep, progress) => this.#onStep(step, timestep, progress),
    })
    this.#crew.end(g)
    if (this.#options.seed !== undefined && noise.seed === undefined) {
      this.#warnings.push('the seed changes nothing: latents are given, and the scheduler draws no noise in its steps')
    }
    if (!latents || !this.#crew.leads) {
      if (this.#decodes) await offload?.enter(g, 'vae', this.#options.signal)
      if (this.#decodes) await assist(g, this.#c.vae, this.#ranks, this.#latentShape, this.#options.signal)
      return this.#output([], new Float32Array(), noise.seed)
    }
    const data = await g.read(latents)
    if (!data.every(Number.isFinite)) {
      throw notANumber('the latents came out as not-a-number')
    }
    return this.#output(await this.#decode(data), data, noise.seed)
  }

  #output(images: DitImage[], data: Float32Array, seed: PipelineOutput['seed']): PipelineOutput {
    const shape = data.length > 0 ? this.#latentShape : [0, ...this.#latentShape.slice(1)]
    const cache = this.#cache && { spared: [...this.#cache.spared] }
    return { images, latents: { data, shape }, warnings: this.#warnings, seed, ...cache }
  }

  async #decode(data: Float32Array): Promise<DitImage[]> {
    if (!this.#decodes) return []
    await this.#c.offload?.enter(this.#g, 'vae', this.#options.signal)
    const { outHeight: height, outWidth: width } = this.#size
    const options = { height, width, signal: this.#options.signal }
    return decodePictures(this.#g, this.#decoder(), { data, shape: this.#latentShape }, options)
  }

  /** Whether this rank has pictures to decode, or to help with. */
  get #decodes(): boolean {
    return this.#options.outputType !== 'latent' && decodes(this.#ranks)
  }

  #decoder(): Decoder {
    return decoderOf(this.#g, this.#c.vae, this.#ranks, this.#options.enableTiling)
  }

  /** What drawing starts from, if not noise alone. Of a run's noise it takes the first. */
  #imageStart(noise: RunNoise): ImageStart | undefined {
    const pictures = { all: this.#allPictures, own: this.#dealt }
    const about = { components: this.#c, ranks: this.#ranks, size: this.#size, pictures, options: this.#options }
    return this.#images && new ImageStart({ ...about, images: this.#images }, noise)
  }

  /** This crew's pictures of values that all pictures have. */
  #share(values: Float32Array): Float32Array {
    const size = values.length / this.#allPictures
    return values.subarray(this.#dealt.first * size, this.#dealt.end * size)
  }

  /** Refuses what no buffer could hold before anything is made of that size on the host. */
  #checkSizes(): void {
    const { outChannels } = this.#c.vae.config
    const { height, width, grid } = this.#size
    const { arena, target } = this.#c.device
    const operand = BYTES_PER_ELEMENT[storedAs(target, 'operand')]
    const { mesh } = this.#ranks
    const parts = mesh.degree('ulysses') * mesh.degree('ring') * mesh.degree('tensor')
    const widest = (this.#batch * grid.rows * grid.columns * this.#facts.widest * operand) / parts
    arena.checkSize(widest, `height ${height} and width ${width}: the feed-forward of the transformer`)
    if (this.#images) checkEncoding(arena, this.#c, this.#size)
    if (this.#options.outputType === 'latent' || !this.#crew.leads) return
    if (this.#ranks.config.vaeParallelSize === 1) {
      checkDecoding(arena, this.#c.vae.config, this.#size.height, this.#size.width, this.#options.enableTiling)
    }
    arena.checkSize(this.#size.outHeight * this.#size.outWidth * outChannels * 4, 'the resized picture')
  }

  /** Pictures, once for each branch of this rank. */
  get #batch(): number {
    const { first, end } = this.#crew.branches
    return this.#texts.length * (end - first)
  }

  get #latentShape(): number[] {
    const { scale } = this.#c.vae.config
    return [this.#texts.length, this.#facts.channels, this.#size.height / scale, this.#size.width / scale]
  }

  #readTexts(): BatchTexts & ReadTexts {
    const batch = batchTexts(this.#texts, { guided: this.#guidance.guided, branches: this.#crew.branches })
    const read = this.#family.readTexts(this.#c, batch.texts, this.#options)
    this.#warnings.push(...read.warnings)
    return { ...batch, ...read }
  }

  /** The transformer, told what to draw. */
  #encodeTexts(read: BatchTexts & ReadTexts): Promise<DenoisingNetwork> {
    const { rows } = read
    const g = this.#g
    return g.phase('text', async () => {
      const { network } = await g.scope(async () => {
        const { offload } = this.#c
        const unique = await sharedText(g, this.#ranks, offload ? { ...read, encode: this.#encoding(read) } : read)
        await offload?.enter(g, 'transformer', this.#options.signal)
        const ids = g.upload(rows, [rows.length], 'rows')
        const encoded = unique.map((of) => gather(g, of, ids))
        return read.network(g, { encoded, rows, blocks: this.#crew.blocks, size: this.#size })
      })
      return network
    })
  }

  /** Where encoders come and go. Those that ranks share are run by all of them or by none, which only encoding is sure of. */
  #encoding({ texts, encode }: BatchTexts & ReadTexts): ReadTexts['encode'] {
    const { shardT5Encoder } = this.#ranks.config
    const key = shardT5Encoder ? undefined : textKey(texts, this.#options)
    return this.#c.offload!.encoding(encode, key, this.#options.signal)
  }

  #denoising(network: DenoisingNetwork, latents: Tensor): DenoiseOptions {
    const [crew, scheduler, settings] = [this.#crew, this.#scheduler, this.#cacheSettings]
    const agree: Agreement = (g, measured, decide) => crew.agreed(g, measured, decide)
    const cache = settings && new RequestCache(settings, scheduler.timesteps.length, agree)
    const { step, history } = this.#from ?? { step: 0, history: [] }
    const values = (one: Float32Array) =>
      this.#g.rehearsing ? this.#g.placeholder(this.#latentShape) : this.#g.upload(one, this.#latentShape, 'history')
    return { crew, network, latents, from: { step, history: history.map(values) }, scheduler, cache }
  }

  /** Keeps what it takes to go on after a step, when that is there. */
  #keeping(step: number, noise: NoiseState) {
    const steps = this.#scheduler.timesteps.length
    return (values: SolverValues) =>
      this.#options.onCheckpoint?.({ ...values, pictures: this.#dealt, step, steps, noise })
  }

  /** Compiles all kernels side by side, and fails now if the sizes do not fit the device. */
  async #rehearse(texts: BatchTexts & ReadTexts): Promise<void> {
    const g = this.#g
    if (this.#decodes) await this.#c.offload?.enter(g, 'vae')
    if (this.#decodes) await rehearseDecoding(g, this.#decoder(), this.#latentShape)
    await g.rehearse(async () => {
      const network = await this.#encodeTexts(texts)
      const latents = g.placeholder(this.#latentShape)
      const noise = () => new Float32Array(latents.size)
      await rehearseDenoising(g, { ...this.#denoising(network, latents), noise })
    })
  }

  async #onStep(step: number, timestep: number, progress: Progress): Promise<void> {
    const { preview } = this.#c
    await this.#options.onStep?.({
      step,
      steps: this.#scheduler.timesteps.length,
      timestep,
      latents: () => progress.latents(),
      // What the model takes the picture for: clear long before the noise is gone.
      preview: async () => (preview ? previews(preview, await progress.denoised(), this.#latentShape) : []),
    })
  }
}
