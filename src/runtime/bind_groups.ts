import type { Placement } from './tensor.ts'

/** More than the dispatches of a step of the largest models, for several sizes of picture. */
const MOST = 16_384

/** What a dispatch binds at 0: its slot of a buffer of uniforms. */
export interface UniformSlot {
  readonly buffer: GPUBuffer
  readonly offset: number
  readonly size: number
}

/**
 * Bind groups by what they bind. Making one costs five times as much as all else that is encoded for a dispatch, and a pass
 * that repeats, in whose buffers the arena puts the same tensors, needs none that it had not before.
 */
export class BindGroups {
  readonly #device: GPUDevice
  readonly #groups = new Map<string, GPUBindGroup>()
  readonly #layouts = new WeakMap<GPUComputePipeline, GPUBindGroupLayout>()
  readonly #numbers = new WeakMap<object, number>()
  #count = 0

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** @param places of binding 1 and on, and `bytes` of them that are bound */
  get(
    pipeline: GPUComputePipeline,
    uniforms: UniformSlot,
    places: readonly Placement[],
    bytes: readonly number[],
  ): GPUBindGroup {
    let key = `${this.#number(pipeline)} ${this.#number(uniforms.buffer)} ${uniforms.offset} ${uniforms.size}`
    places.forEach(({ buffer, offset = 0 }, i) => {
      key += ` ${this.#number(buffer)} ${offset} ${bytes[i]}`
    })
    const known = this.#groups.get(key)
    if (known) return known
    const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: uniforms }]
    places.forEach(({ buffer, offset }, i) => {
      entries.push({ binding: i + 1, resource: { buffer, offset, size: bytes[i] } })
    })
    const group = this.#device.createBindGroup({ layout: this.#layout(pipeline), entries })
    // Those of buffers that are gone are never asked for again; they take little, and go with all others.
    if (this.#groups.size >= MOST) this.#groups.clear()
    this.#groups.set(key, group)
    return group
  }

  #layout(pipeline: GPUComputePipeline): GPUBindGroupLayout {
    let layout = this.#layouts.get(pipeline)
    if (!layout) {
      layout = pipeline.getBindGroupLayout(0)
      this.#layouts.set(pipeline, layout)
    }
    return layout
  }

  #number(of: object): number {
    let number = this.#numbers.get(of)
    if (number === undefined) {
      number = this.#count++
      this.#numbers.set(of, number)
    }
    return number
  }
}
