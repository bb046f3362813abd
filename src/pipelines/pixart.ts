import type { Component } from '../models/component.ts'
import type { PixArtText } from '../models/pixart/transformer.ts'
import { Crew } from '../parallel/crew/crew.ts'
import { dealt } from '../parallel/crew/dealt.ts'
import { oneRank, type Ranks } from '../parallel/crew/ranks.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Device } from '../runtime/device.ts'
import { storedAs } from '../runtime/kernels.ts'
import { gather } from '../runtime/ops/index.ts'
import { Recorder } from '../runtime/recorder.ts'
import type { Share } from '../runtime/shares.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../runtime/tensor.ts'
import { createScheduler } from '../schedulers/index.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import { type Captions, captionsOf, type PictureTexts, textsOf } from './captions.ts'
import { checkDecoding, type Decoder, decodePictures, notANumber, rehearseDecoding } from './decode_latents.ts'
import { type DenoiseOptions, denoise, type Progress, rehearseDenoising } from './denoise.ts'
import type { DitImage } from './image/image.ts'
import { RunNoise } from './noise.ts'
import { checkInteger, checkNumber, type PipelineOptions, type PipelineOutput } from './options.ts'
import { type PictureSize, pictureSize } from './picture_size.ts'
import { encodeCaptions, pixartNetwork } from './pixart_network.ts'
import { type PreviewMap, previews } from './preview.ts'
import { assist, decoderOf, decodes } from './shared_decoding.ts'
import { sharedText } from './shared_text.ts'
import type { PromptTokenizer } from './text.ts'

export interface PixArtComponents {
  readonly device: Device
  /** This rank and those that it draws with; one that works alone unless told otherwise. */
  readonly ranks?: Ranks
  readonly tokenizer: PromptTokenizer
  readonly textEncoder: Component<'T5EncoderModel'>
  readonly transformer: Component<'PixArtTransformer2DModel'>
  readonly vae: Component<'AutoencoderKL'>
  /** scheduler_config.json. */
  readonly schedulerConfig: unknown
  readonly preview?: PreviewMap
  /** The most text tokens that the class takes: 300 (Σ), 120 (α). */
  readonly textLength: number
}

export interface PixArtOptions extends PipelineOptions {
  /** Draw at the nearest trained size and resize. Default: where diffusers has a table for the model. */
  useResolutionBinning?: boolean
}

/** PixArtSigmaPipeline and PixArtAlphaPipeline of diffusers. */
export class PixArtPipeline {
  readonly components: PixArtComponents
  readonly #recorder: Recorder
  #busy: Promise<unknown> = Promise.resolve()

  constructor(components: PixArtComponents) {
    this.components = components
    this.#recorder = new Recorder(components.device)
  }

  /** Draws pictures. Calls that overlap wait for each other. */
  run(prompt: string | string[], options: PixArtOptions = {}): Promise<PipelineOutput> {
    const run = this.#busy.then(async () => {
      const g = this.#recorder
      try {
        return await g.device.during(() => new PixArtRun(this.components, g, prompt, options).draw())
      } catch (error) {
        // The other ranks need not wait for what will not come.
        this.components.ranks?.fabric?.fail(error)
        throw error
      } finally {
        g.reset()
      }
    })
    this.#busy = run.catch(() => {})
    return run
  }

  /** Frees the weights. */
  dispose(): void {
    for (const component of [this.components.textEncoder, this.components.transformer, this.components.vae]) {
      component.weights.free()
    }
    this.components.device.arena.trim()
  }
}

/** One call: its checked options and what follows from them. */
class PixArtRun {
  readonly #c: PixArtComponents
  readonly #g: Recorder
  readonly #options: PixArtOptions
  readonly #texts: PictureTexts[]
  readonly #ranks: Ranks
  readonly #crew: Crew
  /** The pictures of this crew, of all that are drawn. */
  readonly #dealt: Share
  readonly #size: PictureSize
  readonly #guidance: number
  readonly #allPictures: number
  readonly #scheduler: Scheduler
  readonly #textLength: number
  readonly #warnings: string[] = []

  constructor(c: PixArtComponents, g: Recorder, prompt: string | string[], options: PixArtOptions) {
    this.#c = c
    this.#g = g
    this.#options = options
    const all = textsOf(prompt, options)
    this.#ranks = c.ranks ?? oneRank()
    this.#allPictures = all.length
    this.#dealt = dealt(this.#ranks, all.length)
    this.#texts = all.slice(this.#dealt.first, this.#dealt.end)
    this.#guidance = checkNumber('guidanceScale', options.guidanceScale ?? 4.5, 0, 1000)
    const { config } = c.transformer
    this.#size = pictureSize(options, {
      native: config.sampleSize * c.vae.config.scale,
      multiple: c.vae.config.scale * config.patch,
      sampleSize: config.sampleSize,
    })
    this.#textLength = checkInteger(
      'maxSequenceLength',
      options.maxSequenceLength ?? Math.min(c.textLength, c.tokenizer.modelMaxLength),
      1,
      4096,
    )
    const eta = checkNumber('eta', options.eta ?? 0, 0, 1)
    this.#scheduler = createScheduler(c.schedulerConfig)
    this.#scheduler.setTimesteps(options.numInferenceSteps ?? 20, { eta })
    if (eta > 0 && !this.#scheduler.takesEta) {
      this.#warnings.push(`eta is ${eta}, which only DDIMScheduler takes: the model's scheduler does without it`)
    }
    this.#crew = new Crew(this.#ranks, {
      blocks: config.layers,
      grid: this.#size.grid,
      steps: this.#scheduler.timesteps.length,
      guided: this.#guidance > 1,
    })
  }

  /** What this rank has to give: pictures where it leads its crew, else none. */
  async draw(): Promise<PipelineOutput> {
    const g = this.#g
    if (this.#texts.length === 0) return this.#output([], new Float32Array(), undefined)
    this.#checkSizes()
    const noise = new RunNoise([this.#allPictures, ...this.#latentShape.slice(1)], this.#options)
    const scaled = this.#share(noise.initial()).map((v) => v * this.#scheduler.initNoiseSigma)
    const captions = this.#captions()
    await this.#rehearse(captions)
    throwIfAborted(this.#options.signal)

    const text = await this.#encodeText(captions)
    const latents = await denoise(g, {
      ...this.#denoising(text, g.upload(scaled, this.#latentShape, 'latents')),
      noise: () => this.#share(noise.next()),
      signal: this.#options.signal,
      onStep: (step, timestep, progress) => this.#onStep(step, timestep, progress),
    })
    this.#crew.end(g)
    if (this.#options.seed !== undefined && noise.seed === undefined) {
      this.#warnings.push('the seed changes nothing: latents are given, and the scheduler draws no noise in its steps')
    }
    if (!latents || !this.#crew.leads) {
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
    return { images, latents: { data, shape }, warnings: this.#warnings, seed }
  }

  async #decode(data: Float32Array): Promise<DitImage[]> {
    if (!this.#decodes) return []
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

  /** This crew's pictures of values that all pictures have. */
  #share(values: Float32Array): Float32Array {
    const size = values.length / this.#allPictures
    return values.subarray(this.#dealt.first * size, this.#dealt.end * size)
  }

  /** Refuses what no buffer could hold before anything is made of that size on the host. */
  #checkSizes(): void {
    const { patch, width } = this.#c.transformer.config
    const { scale, outChannels } = this.#c.vae.config
    const tokens = (this.#size.height * this.#size.width) / (scale * patch) ** 2
    const { arena, target } = this.#c.device
    const operand = BYTES_PER_ELEMENT[storedAs(target, 'operand')]
    const size = `height ${this.#size.height} and width ${this.#size.width}: `
    const { mesh } = this.#ranks
    const parts = mesh.degree('ulysses') * mesh.degree('ring') * mesh.degree('tensor')
    const widest = (this.#batch * tokens * 4 * width * operand) / parts
    arena.checkSize(widest, `${size}the feed-forward of the transformer`)
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
    return [
      this.#texts.length,
      this.#c.transformer.config.inChannels,
      this.#size.height / scale,
      this.#size.width / scale,
    ]
  }

  #captions(): Captions {
    const captions = captionsOf(this.#c.tokenizer, this.#texts, {
      length: this.#textLength,
      guided: this.#guidance > 1,
      branches: this.#crew.branches,
    })
    this.#warnings.push(...captions.tokens.warnings)
    return captions
  }

  #encodeText({ tokens, rows }: Captions): Promise<PixArtText> {
    const g = this.#g
    const { transformer, textEncoder } = this.#c
    const mask = [...rows].flatMap((row) => [...tokens.mask.subarray(row * tokens.length, (row + 1) * tokens.length)])
    return g.phase('text', () =>
      g.scope(async () => {
        const unique = await sharedText(g, this.#ranks, textEncoder, tokens)
        const captions = gather(g, unique, g.upload(rows, [rows.length], 'rows'))
        return encodeCaptions(g, transformer, captions, mask, this.#crew.blocks)
      }),
    )
  }

  #denoising(text: PixArtText, latents: Tensor): DenoiseOptions {
    const [, channels, , width] = this.#latentShape
    const network = pixartNetwork(this.#c.transformer, {
      text,
      batch: this.#batch,
      latents: { channels, width },
      size: { height: this.#size.height, width: this.#size.width },
      guidance: this.#guidance,
    })
    return { crew: this.#crew, network, latents, scheduler: this.#scheduler }
  }

  /** Compiles all kernels side by side, and fails now if the sizes do not fit the device. */
  async #rehearse(captions: Captions): Promise<void> {
    const g = this.#g
    if (this.#decodes) await rehearseDecoding(g, this.#decoder(), this.#latentShape)
    await g.rehearse(async () => {
      const text = await this.#encodeText(captions)
      const latents = g.placeholder(this.#latentShape)
      const noise = () => new Float32Array(latents.size)
      await rehearseDenoising(g, { ...this.#denoising(text, latents), noise })
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
