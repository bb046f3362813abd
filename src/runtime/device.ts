import { adapterName, bestTier, isSoftware } from './adapter.ts'
import { Arena, megabytes } from './arena.ts'
import { DitError } from './errors.ts'
import type { KernelTarget, Tier } from './kernel.ts'
import { PipelineCache } from './pipeline_cache.ts'
import { type GpuPlatform, requestAdapter } from './platform/platform.ts'
import type { Profiler } from './profiling/profiler.ts'

export interface DeviceOptions {
  /** Catch validation errors at every submit instead of at the next one. Slower: for tests. */
  checked?: boolean
  /** Fill outputs with NaN before each dispatch, so that an unwritten element shows. For tests. */
  poison?: boolean
  /** Bytes that weights and activations together may take; WebGPU tells no memory size. */
  memory?: number
  /** Forces a tier. Default: the best that the device has. */
  tier?: Tier
}

/** The limits that bound what webdit can do; asked for explicitly, since WebGPU's defaults are far lower. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxStorageBuffersPerShaderStage',
] as const

const FEATURES: GPUFeatureName[] = ['timestamp-query', 'shader-f16', 'subgroups' as GPUFeatureName]

/** One opened WebGPU device with what hangs on it: compiled pipelines, the arena, the fate of the device. */
export class Device {
  readonly gpu: GPUDevice
  readonly info: GPUAdapterInfo
  readonly features: ReadonlySet<string>
  readonly pipelines: PipelineCache
  readonly arena: Arena
  /** The best that this device has and webdit has kernels for, or the one that was asked for. */
  readonly tier: Tier
  readonly target: KernelTarget
  readonly poison: ((encoder: GPUCommandEncoder, buffer: GPUBuffer, bytes: number) => void) | undefined
  /** Measures what runs while it is there; see Profiler.start. */
  profiler: Profiler | undefined
  /** Bytes held by weights. */
  weightBytes = 0
  readonly #memory: number
  readonly #checked: boolean
  readonly #uniformBuffers: GPUBuffer[] = []
  readonly #rest: (() => Promise<void>) | undefined
  #failure: DitError | undefined
  #closing = false

  /** Opens the platform's device with every limit and feature that the adapter has and webdit uses. */
  static async open(platform: GpuPlatform, options: DeviceOptions = {}): Promise<Device> {
    const adapter = await requestAdapter(platform, { powerPreference: 'high-performance' })
    const { tier } = options
    if (tier && tier !== 'f32' && bestTier(adapter.features) !== tier) {
      throw new DitError(
        'unsupported',
        `tier ${tier} was asked for, and this adapter has no ${tier === 'f16' ? 'shader-f16' : 'kernels of that tier'}`,
        `leave --tier out, or use --tier ${bestTier(adapter.features)}`,
      )
    }
    const requiredLimits: Record<string, number> = {}
    for (const name of LIMITS) requiredLimits[name] = adapter.limits[name]
    const requiredFeatures = FEATURES.filter((f) => adapter.features.has(f))
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures })
    return new Device(device, adapter.info, options, platform.rest)
  }

  private constructor(gpu: GPUDevice, info: GPUAdapterInfo, options: DeviceOptions, rest?: () => Promise<void>) {
    this.gpu = gpu
    this.info = info
    this.features = new Set(gpu.features)
    this.pipelines = new PipelineCache(gpu, (work) => this.phase('compile', () => this.settled(work())))
    this.arena = new Arena(gpu)
    this.tier = options.tier ?? bestTier(this.features)
    this.target = { tier: this.tier, software: isSoftware(info), quads: this.features.has('subgroups') }
    this.#rest = this.target.software ? rest : undefined
    this.#checked = options.checked ?? false
    this.#memory = options.memory ?? Number.POSITIVE_INFINITY
    this.arena.budget = this.#memory
    this.poison = options.poison ? this.#poisoner() : undefined
    gpu.addEventListener('uncapturederror', (event) => {
      this.#failure ??= typedError((event as GPUUncapturedErrorEvent).error)
    })
    gpu.lost.then((lost) => {
      if (this.#closing) return
      this.#failure = new DitError(
        'device-lost',
        `the device ${this.name} was lost: ${lost.message || lost.reason}`,
        'run again; if it happens again, try a smaller size or update the GPU driver',
      )
    })
  }

  /** Product and driver, as far as the runtime tells them. */
  get name(): string {
    return adapterName(this.info)
  }

  /** Throws the first validation error, loss or failed allocation that no scope caught: the device is not to be trusted after it. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure
  }

  /** Waits for what the device does, without taking a core from a device that computes on the CPU. */
  async settled<T>(work: Promise<T>): Promise<T> {
    if (!this.#rest) return work
    let pending = true
    const done = () => {
      pending = false
    }
    work.then(done, done)
    while (pending) await this.#rest()
    return work
  }

  /** Runs `body`, under that name where a profiler is measuring. */
  phase<T>(name: string, body: () => Promise<T>): Promise<T> {
    return this.profiler ? this.profiler.phase(name, body) : body()
  }

  /** Settles when all that was submitted has run. */
  async finished(): Promise<void> {
    await this.settled(this.gpu.queue.onSubmittedWorkDone())
    this.throwIfFailed()
  }

  /** Runs `encode`; in tests its validation errors are thrown here. */
  async checked(encode: () => void): Promise<void> {
    if (!this.#checked) return encode()
    this.gpu.pushErrorScope('validation')
    this.gpu.pushErrorScope('internal')
    encode()
    const scopes = [this.gpu.popErrorScope(), this.gpu.popErrorScope()]
    for (const error of await Promise.all(scopes)) if (error) throw typedError(error)
  }

  /** Runs `allocate` under an out-of-memory scope, which is waited for only if the arena grew. */
  async allocating(allocate: () => void): Promise<void> {
    const before = this.arena.reserved
    this.gpu.pushErrorScope('out-of-memory')
    let thrown: unknown
    try {
      allocate()
    } catch (error) {
      thrown = error
    }
    const scope = this.gpu.popErrorScope()
    const error = this.arena.reserved > before || thrown ? await scope : null
    if (error) {
      throw new DitError(
        'out-of-memory',
        `the device could not hold ${megabytes(this.arena.reserved)} of activations besides ` +
          `${megabytes(this.weightBytes)} of weights`,
        'use a smaller height, width or batch',
      )
    }
    if (thrown) throw thrown
  }

  /** Counts weights against --memory before they are created. */
  reserveWeights(bytes: number, what: string): void {
    if (this.weightBytes + bytes > this.#memory) {
      throw new DitError(
        'out-of-memory',
        `${what} needs ${megabytes(bytes)} on the device, --memory leaves ${megabytes(this.#memory - this.weightBytes)}`,
        'state more with --memory, or use a smaller model',
      )
    }
    this.weightBytes += bytes
    this.arena.budget = this.#memory - this.weightBytes
  }

  releaseWeights(bytes: number): void {
    this.weightBytes -= bytes
    this.arena.budget = this.#memory - this.weightBytes
  }

  /** Copies the first `bytes` of `buffer` to the host. */
  async download(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4
    const staging = this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    try {
      const encoder = this.gpu.createCommandEncoder()
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, size)
      this.gpu.queue.submit([encoder.finish()])
      await this.settled(staging.mapAsync(GPUMapMode.READ))
      const copy = staging.getMappedRange().slice(0, bytes)
      staging.unmap()
      this.throwIfFailed()
      return copy
    } catch (cause) {
      if (this.#failure) throw this.#failure
      throw cause
    } finally {
      staging.destroy()
    }
  }

  /** A uniform buffer of at least `bytes`. One a size: writeBuffer orders the writes with the submits. */
  uniformBuffer(bytes: number): GPUBuffer {
    let buffer = this.#uniformBuffers.find((b) => b.size >= bytes)
    if (!buffer) {
      const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)))
      buffer = this.gpu.createBuffer({ size, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST })
      this.#uniformBuffers.push(buffer)
    }
    return buffer
  }

  close(): void {
    this.#closing = true
    this.gpu.destroy()
  }

  #poisoner() {
    const size = 1 << 20
    const source = this.gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC, mappedAtCreation: true })
    // Not a number as f32 and as two f16 alike.
    new Uint32Array(source.getMappedRange()).fill(0xffffffff)
    source.unmap()
    return (encoder: GPUCommandEncoder, buffer: GPUBuffer, bytes: number) => {
      for (let at = 0; at < bytes; at += size) {
        encoder.copyBufferToBuffer(source, 0, buffer, at, Math.min(size, Math.ceil((bytes - at) / 4) * 4))
      }
    }
  }
}

function typedError(error: GPUError): DitError {
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return new DitError('out-of-memory', `the device is out of memory: ${error.message}`, 'use a smaller size')
  }
  return new DitError(
    'validation',
    `the device refused a command: ${error.message}`,
    'this is a fault of webdit: please report it with the output of `webdit doctor`',
  )
}
