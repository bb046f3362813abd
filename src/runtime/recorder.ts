import type { Arena } from './arena.ts'
import type { Device } from './device.ts'
import { DitError } from './errors.ts'
import { type Dispatch, submit } from './submit.ts'
import { type DType, type Placement, shapeText, Tensor } from './tensor.ts'
import { toFloat32 } from './weights/dtypes.ts'

/**
 * Records a forward pass and runs it in one submit.
 *
 * Ops append dispatches and return tensors without touching the device. `flush` compiles what is missing side by
 * side, places tensors by liveness, writes all uniforms in one go and encodes one compute pass. Inside `scope`,
 * whatever is created and not returned dies when the scope ends; that is all the memory management a model needs.
 */
export class Recorder {
  readonly device: Device
  readonly #arena: Arena
  #dispatches: Dispatch[] = []
  #scopes: Set<Tensor>[] = [new Set()]
  readonly #placeholders = new WeakSet<Tensor>()
  readonly #kept = new Set<Tensor>()
  #rehearsing = false
  /** Settles after all flushes so far, which submit in the order in which they were asked for. */
  #flushing: Promise<void> = Promise.resolve()
  /** Some dispatches have their buffers and are not submitted yet. */
  #placed = false

  constructor(device: Device) {
    this.device = device
    this.#arena = device.arena
  }

  /**
   * A tensor that a later dispatch will write. It belongs to the innermost scope.
   *
   * @throws DitError 'out-of-memory' where no buffer of this device could hold it
   */
  create(shape: readonly number[], dtype: DType = 'f32', label = ''): Tensor {
    const tensor = new Tensor(shape, dtype, label)
    this.#arena.checkSize(tensor.bytes, label)
    this.#scopes[this.#scopes.length - 1].add(tensor)
    return tensor
  }

  /** A tensor holding `data` now; a Uint16Array holds the bits of f16. It belongs to the innermost scope like any other. */
  upload(data: Float32Array | Uint32Array | Uint16Array, shape: readonly number[], label = 'upload'): Tensor {
    const dtype = data instanceof Float32Array ? 'f32' : data instanceof Uint16Array ? 'f16' : 'u32'
    const tensor = this.create(shape, dtype, label)
    if (tensor.size !== data.length) {
      throw new DitError('bad-argument', `${label}: ${data.length} values do not fill shape ${shapeText(shape)}`)
    }
    tensor.placement = this.#arena.take(tensor.bytes, label)
    // A copy: `data` may be a view of a SharedArrayBuffer, which dawn.node cannot take.
    const bytes = new Uint8Array(tensor.bytes)
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    this.device.write(tensor.placement, bytes)
    return tensor
  }

  /** A tensor that has its bytes now, for what fills it by other ways than dispatches: what other ranks send. */
  allocate(shape: readonly number[], dtype: DType = 'f32', label = ''): Tensor {
    const tensor = this.create(shape, dtype, label)
    tensor.placement = this.#arena.take(tensor.bytes, label)
    return tensor
  }

  /** A tensor that outlives all scopes, until `drop`: keys and values that are kept from step to step. */
  keep(shape: readonly number[], dtype: DType = 'f32', label = ''): Tensor {
    const tensor = new Tensor(shape, dtype, label)
    this.#arena.checkSize(tensor.bytes, label)
    tensor.persistent = true
    tensor.placement = this.#arena.take(tensor.bytes, label)
    this.#kept.add(tensor)
    return tensor
  }

  /** Gives back what was kept, after its last recorded use. */
  drop(tensor: Tensor): void {
    this.#kept.delete(tensor)
    tensor.persistent = false
    this.release(tensor)
  }

  /** Whether what is recorded will run nothing; see `rehearse`. */
  get rehearsing(): boolean {
    return this.#rehearsing
  }

  /** In a rehearsal: a tensor of that shape which holds nothing, in place of data that is not there yet. */
  placeholder(shape: readonly number[]): Tensor {
    const tensor = this.create(shape, 'f32', 'placeholder')
    this.#placeholders.add(tensor)
    return tensor
  }

  record(dispatch: Dispatch): void {
    for (const tensor of dispatch.inputs) {
      if (tensor.released) throw new DitError('validation', `${dispatch.kernel.name} uses a released tensor`)
    }
    for (const tensor of tensorsOf(dispatch)) tensor.uses++
    this.#dispatches.push(dispatch)
  }

  /** Runs `body`; tensors it created and did not return (alone, in an array or in a record) are released. */
  async scope<T>(body: () => Promise<T> | T): Promise<T> {
    const scope = new Set<Tensor>()
    this.#scopes.push(scope)
    let kept: Set<Tensor> = new Set()
    try {
      const result = await body()
      kept = new Set(tensorsIn(result))
      return result
    } finally {
      this.#scopes.splice(this.#scopes.indexOf(scope), 1)
      const outer = this.#scopes[this.#scopes.length - 1]
      for (const tensor of scope) {
        if (kept.has(tensor)) outer.add(tensor)
        else this.release(tensor)
      }
    }
  }

  /** Gives the tensor's bytes back, after its last recorded use. For what outlives scopes: latents, histories. */
  release(tensor: Tensor | undefined): void {
    if (!tensor || tensor.released || tensor.persistent) return
    tensor.released = true
    for (const scope of this.#scopes) scope.delete(tensor)
    if (tensor.uses === 0) this.#give(tensor)
  }

  /** Releases all that was ever recorded and not released: after a run failed or was aborted. */
  reset(): void {
    for (const dispatch of this.#dispatches.splice(0)) this.#used(dispatch)
    for (const tensor of this.#kept) this.drop(tensor)
    for (const scope of this.#scopes) for (const tensor of scope) this.release(tensor)
    this.#scopes = [new Set()]
  }

  /**
   * Submits all that is recorded. The returned promise settles when it is submitted, after all that was flushed before,
   * and not when it has run, unless a profiler is measuring.
   */
  flush(): Promise<void> {
    if (this.#dispatches.length === 0) return this.#flushing
    const dispatches = this.#dispatches.splice(0)
    const rehearsing = this.#rehearsing
    const flushed = this.#flushing.then(async () => {
      try {
        const places = await this.#place(dispatches, rehearsing)
        if (!rehearsing) await submit(this.device, dispatches, places)
      } finally {
        this.#placed = false
        this.#arena.submitted(this)
      }
    })
    this.#flushing = flushed.catch(() => {})
    return flushed
  }

  /**
   * Runs `body` as a phase of a run: what it records is submitted by its end, and the arena keeps account of its memory
   * under that name. Where a profiler is measuring, it lasts until the device has done all of it.
   */
  async phase<T>(name: string, body: () => Promise<T>): Promise<T> {
    this.#arena.enter(name)
    const submitted = async () => {
      const result = await body()
      await this.flush()
      return result
    }
    if (!this.device.profiler || this.#rehearsing) return submitted()
    return this.device.phase(name, async () => {
      const result = await submitted()
      await this.device.finished()
      return result
    })
  }

  /**
   * Records `body`, compiles its kernels and reserves its memory, and runs nothing, however often it flushes: what
   * would not fit fails here, before any work is done. Nothing else may be recorded.
   */
  async rehearse(body: () => Promise<unknown>): Promise<void> {
    this.#rehearsing = true
    try {
      await this.scope(async () => {
        await body()
        await this.flush()
      })
    } finally {
      this.#rehearsing = false
    }
  }

  /** The tensor's values, after running what is recorded. */
  async read(tensor: Tensor): Promise<Float32Array> {
    await this.flush()
    const { placement } = tensor
    if (!placement) throw new DitError('validation', `read of ${tensor.label || 'a tensor'} that holds nothing`)
    const bytes = await this.device.download(placement.buffer, tensor.bytes)
    if (tensor.dtype === 'f16') return toFloat32(new Uint8Array(bytes), 'F16').subarray(0, tensor.size)
    return new Float32Array(bytes)
  }

  /**
   * Compiles the kernels and gives every tensor a buffer for its life: one list of placements, inputs then outputs, a
   * dispatch. Where that fails, nothing of theirs stays behind.
   */
  async #place(dispatches: readonly Dispatch[], rehearsing: boolean): Promise<Placement[][]> {
    const places: Placement[][] = []
    try {
      this.device.throwIfFailed()
      await this.device.pipelines.prepare(dispatches.map((d) => d.kernel))
      this.#placed = true
      await this.device.allocating(() => {
        for (const dispatch of dispatches) {
          places.push(this.#placesOf(dispatch, rehearsing))
          this.#used(dispatch)
        }
      })
      return places
    } catch (error) {
      for (const dispatch of dispatches.slice(places.length)) this.#used(dispatch)
      throw error
    }
  }

  #placesOf(dispatch: Dispatch, rehearsing: boolean): Placement[] {
    return tensorsOf(dispatch).flatMap((tensor) => {
      if (!tensor.placement && (dispatch.outputs.includes(tensor) || this.#placeholders.has(tensor))) {
        tensor.placement = this.#arena.take(tensor.bytes, tensor.label, this)
      }
      if (tensor.placement) return tensor.placement
      // Weights that will be there when it counts.
      if (rehearsing && tensor.persistent) return []
      throw new DitError('validation', `${dispatch.kernel.name} reads ${shapeText(tensor.shape)} that nothing wrote`)
    })
  }

  /** The dispatch has its buffers, or will never run: what was released, and has no use after it, is free. */
  #used(dispatch: Dispatch): void {
    for (const tensor of tensorsOf(dispatch)) if (--tensor.uses === 0 && tensor.released) this.#give(tensor)
  }

  #give(tensor: Tensor): void {
    if (!tensor.placement) return
    this.#arena.give(tensor.placement, this.#placed ? this : undefined)
    tensor.placement = undefined
  }
}

const tensorsOf = ({ inputs, outputs }: Dispatch): Tensor[] => [...inputs, ...outputs]

function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value]
  if (Array.isArray(value)) return value.flatMap(tensorsIn)
  if (value && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn)
  }
  return []
}
