import type { Component } from '../models/component.ts'
import type { PixArtText } from '../models/pixart/transformer.ts'
import { throwIfAborted } from '../runtime/abort.ts'
import type { Device } from '../runtime/device.ts'
import { DitError } from '../runtime/errors.ts'
import { storedAs } from '../runtime/kernels.ts'
import { gather, guide } from '../runtime/ops/index.ts'
import { Recorder } from '../runtime/recorder.ts'
import { BYTES_PER_ELEMENT, type Tensor } from '../runtime/tensor.ts'
import { createScheduler } from '../schedulers/index.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import { checkDecoding, decodePictures, notANumber, rehearseDecoding } from './decode_latents.ts'
import { denoise, recordStep, type SolverState } from './denoise.ts'
import { RunNoise } from './noise.ts'
import {
  checkInteger,
  checkNumber,
  checkSide,
  type PipelineOptions,
  type PipelineOutput,
  perPrompt,
} from './options.ts'
import { encodeCaptions, predictPixArt } from './pixart_network.ts'
import { type PreviewMap, previews } from './preview.ts'
import { hasResolutionBins, resolutionBin } from './resolution_bins.ts'
import { encodeWithT5, joinBatches, type PromptTokenizer, type TokenBatch, tokenize, trimPadding } from './text.ts'

export interface PixArtComponents {
  readonly device: Device
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
  readonly #prompts: string[]
  readonly #negatives: string[]
  readonly #height: number
  readonly #width: number
  readonly #outHeight: number
  readonly #outWidth: number
  readonly #guidance: number
  readonly #imagesPerPrompt: number
  readonly #scheduler: Scheduler
  readonly #textLength: number
  readonly #warnings: string[] = []

  constructor(c: PixArtComponents, g: Recorder, prompt: string | string[], options: PixArtOptions) {
    this.#c = c
    this.#g = g
    this.#options = options
    this.#prompts = typeof prompt === 'string' ? [prompt] : prompt
    if (
      !Array.isArray(this.#prompts) ||
      this.#prompts.length === 0 ||
      this.#prompts.some((p) => typeof p !== 'string')
    ) {
      throw new DitError('bad-argument', 'a prompt is needed: a text, or a list of texts')
    }
    this.#negatives = perPrompt('negativePrompt', options.negativePrompt, this.#prompts.length)
    this.#imagesPerPrompt = checkInteger('numImagesPerPrompt', options.numImagesPerPrompt ?? 1, 1, 1024)
    this.#guidance = checkNumber('guidanceScale', options.guidanceScale ?? 4.5, 0, 1000)
    const { config } = c.transformer
    const multiple = c.vae.config.scale * config.patch
    const native = config.sampleSize * c.vae.config.scale
    this.#outHeight = options.height ?? native
    this.#outWidth = options.width ?? native
    const binned = options.useResolutionBinning ?? hasResolutionBins(config.sampleSize)
    if (binned && !hasResolutionBins(config.sampleSize)) {
      throw new DitError('bad-argument', `useResolutionBinning: there is no table for sample_size ${config.sampleSize}`)
    }
    if (binned) {
      checkInteger('height', this.#outHeight, 1, 65_536)
      checkInteger('width', this.#outWidth, 1, 65_536)
      ;[this.#height, this.#width] = resolutionBin(config.sampleSize, this.#outHeight, this.#outWidth)
    } else {
      this.#height = checkSide('height', this.#outHeight, multiple)
      this.#width = checkSide('width', this.#outWidth, multiple)
    }
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
  }

  async draw(): Promise<PipelineOutput> {
    const g = this.#g
    const { signal, outputType = 'pil' } = this.#options
    this.#checkSizes()
    const noise = new RunNoise(this.#latentShape, this.#options)
    const scaled = noise.initial().map((v) => v * this.#scheduler.initNoiseSigma)
    const tokens = this.#tokens()
    await this.#rehearse(tokens)
    throwIfAborted(signal)

    const text = await this.#encodeText(tokens)
    const latents = await denoise(g, {
      predict: (x, timestep) => this.#predict(x, timestep, text),
      latents: g.upload(scaled, this.#latentShape, 'latents'),
      scheduler: this.#scheduler,
      noise: () => noise.next(),
      signal,
      onStep: (step, timestep, state) => this.#onStep(step, timestep, state),
    })
    if (this.#options.seed !== undefined && noise.seed === undefined) {
      this.#warnings.push('the seed changes nothing: latents are given, and the scheduler draws no noise in its steps')
    }
    const data = await g.read(latents)
    if (!data.every(Number.isFinite)) {
      throw notANumber('the latents came out as not-a-number')
    }
    const final = { data, shape: this.#latentShape }
    const output = { height: this.#outHeight, width: this.#outWidth, tiling: this.#options.enableTiling, signal }
    const images = outputType === 'latent' ? [] : await decodePictures(g, this.#c.vae, final, output)
    return { images, latents: final, warnings: this.#warnings, seed: noise.seed }
  }

  /** Refuses what no buffer could hold before anything is made of that size on the host. */
  #checkSizes(): void {
    const { patch, width } = this.#c.transformer.config
    const { scale, outChannels } = this.#c.vae.config
    const tokens = (this.#height * this.#width) / (scale * patch) ** 2
    const { arena, target } = this.#c.device
    const operand = BYTES_PER_ELEMENT[storedAs(target, 'operand')]
    const size = `height ${this.#height} and width ${this.#width}: `
    arena.checkSize(this.#batch * tokens * 4 * width * operand, `${size}the feed-forward of the transformer`)
    if (this.#options.outputType === 'latent') return
    checkDecoding(arena, this.#c.vae.config, this.#height, this.#width, this.#options.enableTiling)
    arena.checkSize(this.#outHeight * this.#outWidth * outChannels * 4, 'the resized picture')
  }

  get #pictures(): number {
    return this.#prompts.length * this.#imagesPerPrompt
  }

  /** Pictures, and as many without the prompt where there is guidance. */
  get #batch(): number {
    return this.#pictures * (this.#guidance > 1 ? 2 : 1)
  }

  get #latentShape(): number[] {
    const { scale } = this.#c.vae.config
    return [this.#pictures, this.#c.transformer.config.inChannels, this.#height / scale, this.#width / scale]
  }

  /** Tokens of every different text once, and which of them each batch entry has. */
  #tokens(): { tokens: TokenBatch; rows: Uint32Array } {
    const clean = (texts: string[]) => texts.map((text) => text.toLowerCase().trim())
    const prompts = clean(this.#prompts)
    const negatives = this.#guidance > 1 ? clean(this.#negatives) : []
    const { tokenizer } = this.#c
    const unique = (texts: string[]) => [...new Set(texts)]
    const [promptTexts, negativeTexts] = [unique(prompts), unique(negatives)]
    let tokens = tokenize(tokenizer, promptTexts, this.#textLength, 'prompt')
    if (negativeTexts.length > 0) {
      tokens = joinBatches(tokenize(tokenizer, negativeTexts, this.#textLength, 'negative prompt'), tokens)
    }
    this.#warnings.push(...tokens.warnings)
    const rows = [
      ...negatives.map((text) => negativeTexts.indexOf(text)),
      ...prompts.map((text) => negativeTexts.length + promptTexts.indexOf(text)),
    ]
    return {
      tokens: trimPadding(tokens),
      rows: Uint32Array.from(rows.flatMap((row) => Array<number>(this.#imagesPerPrompt).fill(row))),
    }
  }

  #encodeText({ tokens, rows }: { tokens: TokenBatch; rows: Uint32Array }): Promise<PixArtText> {
    const g = this.#g
    const mask = [...rows].flatMap((row) => [...tokens.mask.subarray(row * tokens.length, (row + 1) * tokens.length)])
    return g.phase('text', () =>
      g.scope(async () => {
        const unique = await encodeWithT5(g, this.#c.textEncoder, tokens)
        const captions = gather(g, unique, g.upload(rows, [rows.length], 'rows'))
        return encodeCaptions(g, this.#c.transformer, captions, mask)
      }),
    )
  }

  /** Noise prediction for latents [pictures, …], guided. */
  async #predict(latents: Tensor, timestep: number, text: PixArtText): Promise<Tensor> {
    const output = await predictPixArt(this.#g, this.#c.transformer, {
      latents,
      timestep,
      text,
      batch: this.#batch,
      channels: latents.dim(1),
      size: { height: this.#height, width: this.#width },
    })
    return this.#guidance > 1 ? guide(this.#g, output, this.#guidance) : output
  }

  /** Compiles all kernels side by side, and fails now if the sizes do not fit the device. */
  async #rehearse(tokens: { tokens: TokenBatch; rows: Uint32Array }): Promise<void> {
    const g = this.#g
    if (this.#options.outputType !== 'latent') {
      await rehearseDecoding(g, this.#c.vae, this.#latentShape, this.#options.enableTiling)
    }
    await g.rehearse(async () => {
      const text = await this.#encodeText(tokens)
      const state = { latents: g.placeholder(this.#latentShape), history: [] }
      const stepping = {
        predict: (x: Tensor, timestep: number) => this.#predict(x, timestep, text),
        scheduler: this.#scheduler,
        noise: () => new Float32Array(state.latents.size),
      }
      await g.phase('step', () => recordStep(g, state, stepping, 0))
    })
  }

  async #onStep(step: number, timestep: number, state: SolverState): Promise<void> {
    const { preview } = this.#c
    await this.#options.onStep?.({
      step,
      steps: this.#scheduler.timesteps.length,
      timestep,
      latents: () => this.#g.read(state.latents),
      // What the model takes the picture for: clear long before the noise is gone.
      preview: async () => (preview ? previews(preview, await this.#g.read(state.history[0]), this.#latentShape) : []),
    })
  }
}
