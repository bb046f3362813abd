import { adapterName, bestTier, isSoftware, SUBGROUP_MATRIX, TIERS } from './adapter.ts'
import { allocate } from './allocation.ts'
import { Arena, megabytes } from './arena.ts'
import { BindGroups } from './bind_groups.ts'
import { DitError } from './errors.ts'
import { Failures, typedError } from './failures.ts'
import type { KernelTarget, Tier } from './kernel.ts'
import { PipelineCache } from './pipeline_cache.ts'
import { type GpuPlatform, requestAdapter } from './platform/platform.ts'
import type { Profiler } from './profiling/profiler.ts'
import type { Placement } from './tensor.ts'

export interface DeviceOptions {
  /** Catch validation errors at every submit instead of at the next one. Slower: for tests. */
  checked?: boolean
  /** Fill outputs with NaN before each dispatch, so that an unwritten element shows. For tests. */
  poison?: boolean
  /** Bytes that weights and activations together may take; WebGPU tells no memory size. */
  memory?: number
  /** Forces a tier. Default: the best that the device has. */
  tier?: Tier
  /** Choose kernels as for a GPU where a CPU computes, which is slow. For tests. */
  hardware?: boolean
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

const FEATURES = ['timestamp-query', 'shader-f16', 'subgroups', SUBGROUP_MATRIX] as GPUFeatureName[]

/** One opened WebGPU device with what hangs on it: compiled pipelines, the arena, the fate of the device. */
export class Device {
  readonly gpu: GPUDevice
  readonly info: GPUAdapterInfo
  readonly features: ReadonlySet<string>
  readonly pipelines: PipelineCache
  readonly bindGroups: BindGroups
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
  readonly #wait: (() => Promise<void>) | undefined
  readonly #rest: (() => Promise<void>) | undefined
  readonly #elder: Device | undefined
  readonly #failures: Failures

  /** Opens the platform's device with every limit and feature that the adapter has and webdit uses. */
  static async open(platform: GpuPlatform, options: DeviceOptions = {}): Promise<Device> {
    const adapter = await requestAdapter(platform, { powerPreference: 'high-performance' })
    const { tier } = options
    if (tier && tier !== 'f32' && TIERS.indexOf(bestTier(adapter)) < TIERS.indexOf(tier)) {
      throw new DitError(
        'unsupported',
        `tier ${tier} was asked for, and this adapter has no ${tier === 'f16' ? 'shader-f16' : 'kernels of that tier'}`,
        `leave --tier out, or use --tier ${bestTier(adapter)}`,
      )
    }
    const requiredLimits: Record<string, number> = {}
    for (const name of LIMITS) requiredLimits[name] = adapter.limits[name]
    const requiredFeatures = FEATURES.filter((f) => adapter.features.has(f))
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new DitError(
        'no-adapter',
        `${adapterName(adapter.info)} gives no device: ${why}`,
        'close what else uses the GPU, or update its driver',
        { cause },
      )
    })
    return new Device(device, adapter.info, options, platform.rest)
  }

  /**
   * A second device on the same hardware: with an arena, weights and a memory limit of its own, so that several ranks
   * share one card without sharing buffers. Closing it leaves the card open; close it after its work.
   */
  sibling({ memory, hardware = !this.target.software }: Pick<DeviceOptions, 'memory' | 'hardware'> = {}): Device {
    const options = { tier: this.tier, checked: this.#checked, poison: this.poison !== undefined, memory, hardware }
    return new Device(this.gpu, this.info, options, this.#wait, this)
  }

  private constructor(
    gpu: GPUDevice,
    info: GPUAdapterInfo,
    options: DeviceOptions,
    rest?: () => Promise<void>,
    elder?: Device,
  ) {
    this.gpu = gpu
    this.info = info
    this.features = new Set(gpu.features)
    this.#elder = elder
    this.#wait = rest
    this.bindGroups = new BindGroups(gpu)
    this.pipelines =
      elder?.pipelines ?? new PipelineCache(gpu, (work) => this.phase('compile', () => this.settled(work())))
    this.arena = new Arena(gpu)
    this.tier = options.tier ?? bestTier(this)
    this.target = {
      tier: this.tier,
      software: isSoftware(info) && !options.hardware,
      quads: this.features.has('subgroups'),
    }
    this.#rest = this.target.software ? rest : undefined
    this.#checked = options.checked ?? false
    this.#memory = options.memory ?? Number.POSITIVE_INFINITY
    this.arena.budget = this.#memory
    this.poison = options.poison ? this.#poisoner() : undefined
    this.#failures = elder ? elder.#failures : new Failures(gpu, () => this.name)
  }

  /** Product and driver, as far as the runtime tells them. */
  get name(): string {
    return adapterName(this.info)
  }

  /**
   * Runs `body`, a load or a run that begins anew on this device: what went wrong before does not count for it.
   *
   * @throws what `body` throws; DitError 'device-lost' where that is the reason for it
   */
  during<T>(body: () => Promise<T>): Promise<T> {
    return this.#failures.during(body)
  }

  /** @throws DitError 'device-lost', or the first validation error or failed allocation that no scope caught */
  throwIfFailed(): void {
    this.#failures.throwIfAny()
  }

  /**
   * Waits for what the device does, without taking a core from a device that computes on the CPU.
   *
   * @throws DitError 'device-lost', also where the runtime would never settle `work`
   */
  async settled<T>(work: Promise<T>): Promise<T> {
    const settled = this.#failures.unlessLost(work)
    if (!this.#rest) return settled
    let pending = true
    const done = () => {
      pending = false
    }
    settled.then(done, done)
    while (pending) await this.#rest()
    return settled
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
    for (const error of await this.#failures.unlessLost(Promise.all(scopes))) if (error) throw typedError(error)
  }

  /** Runs `place`, which takes from the arena, and waits until the device has told whether it holds all that was taken. */
  async allocating(place: () => void): Promise<void> {
    let thrown: unknown
    try {
      place()
    } catch (error) {
      thrown = error
    }
    const lacking = await this.#failures.unlessLost(this.arena.settle())
    if (lacking > 0) {
      throw new DitError(
        'out-of-memory',
        `the device could not hold ${megabytes(this.arena.reserved + lacking)} of activations besides ` +
          `${megabytes(this.weightBytes)} of weights`,
        'use a smaller height, width or batch',
      )
    }
    if (thrown) throw thrown
  }

  /** Writes to the start of a buffer that was just taken from the arena. If there is none, `allocating` throws that. */
  write(placement: Placement, bytes: Uint8Array<ArrayBuffer>): void {
    const failed = this.arena.failed(placement)
    if (!failed) {
      this.gpu.queue.writeBuffer(placement.buffer, 0, bytes)
      return
    }
    this.gpu.pushErrorScope('validation')
    this.gpu.queue.writeBuffer(placement.buffer, 0, bytes)
    const scope = this.gpu.popErrorScope().catch(() => null)
    void Promise.all([scope, failed]).then(([error, outOfMemory]) => {
      if (error && !outOfMemory) this.#failures.add(typedError(error))
    })
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
    this.#holds(this.weightBytes + bytes)
  }

  releaseWeights(bytes: number): void {
    this.#holds(this.weightBytes - bytes)
  }

  #holds(weightBytes: number): void {
    this.weightBytes = weightBytes
    this.arena.weights = weightBytes
    this.arena.budget = this.#memory - weightBytes
  }

  /** A buffer of its own, outside the arena. @throws DitError 'out-of-memory' */
  buffer(descriptor: GPUBufferDescriptor): Promise<GPUBuffer> {
    return this.#failures.unlessLost(allocate(this.gpu, descriptor))
  }

  /** Copies the first `bytes` of `buffer` to the host. */
  async download(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    await this.allocating(() => {})
    const size = Math.ceil(bytes / 4) * 4
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
    const staging = await this.buffer({ size, usage, label: 'results' })
    try {
      const encoder = this.gpu.createCommandEncoder()
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, size)
      this.gpu.queue.submit([encoder.finish()])
      await this.settled(staging.mapAsync(GPUMapMode.READ))
      const copy = staging.getMappedRange().slice(0, bytes)
      staging.unmap()
      this.throwIfFailed()
      return copy
    } finally {
      staging.destroy()
    }
  }

  /** A uniform buffer of at least `bytes`. One a size: writeBuffer orders the writes with the submits. */
  async uniformBuffer(bytes: number): Promise<GPUBuffer> {
    const found = this.#uniformBuffers.find((b) => b.size >= bytes)
    if (found) return found
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)))
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST
    const buffer = await this.buffer({ size, usage, label: 'uniforms' })
    this.#uniformBuffers.push(buffer)
    return buffer
  }

  close(): void {
    if (this.#elder) {
      this.arena.trim()
      for (const buffer of this.#uniformBuffers.splice(0)) buffer.destroy()
      return
    }
    this.#failures.lose('the device was closed', 'open another one')
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
