import { MATRIX_PEAK_RESULTS, matrixPeak } from '../../src/wgsl/peak.ts'

/** So long the card multiplies before anything is timed: at rest its clock is at half of what it is at work. */
const HEAT = 250 // ms
const TURNS = 7

export interface Run {
  readonly pipeline: GPUComputePipeline
  readonly group: GPUBindGroup
  readonly groups: readonly [number, number, number]
}

/** Times dispatches by the device's own clock, right after matrix products that bring it to speed. */
export class Timing {
  readonly #gpu: GPUDevice
  readonly #heater: Run
  readonly #queries: GPUQuerySet
  readonly #resolved: GPUBuffer
  #heating = 1

  private constructor(gpu: GPUDevice, heater: Run) {
    this.#gpu = gpu
    this.#heater = heater
    this.#queries = gpu.createQuerySet({ type: 'timestamp', count: 2 * TURNS })
    this.#resolved = gpu.createBuffer({
      size: 16 * TURNS,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
  }

  static async open(gpu: GPUDevice): Promise<Timing> {
    const heater = await runOf(
      gpu,
      matrixPeak(),
      [uniforms(gpu, [10_000]), empty(gpu, 4 * MATRIX_PEAK_RESULTS)],
      [528, 1, 1],
    )
    const timing = new Timing(gpu, heater)
    const once = await timing.milliseconds(heater, 1)
    timing.#heating = Math.ceil(HEAT / once)
    return timing
  }

  /** Milliseconds of a dispatch: the median of turns of `each` dispatches. */
  async milliseconds(run: Run, each = 3): Promise<number> {
    const encoder = this.#gpu.createCommandEncoder()
    const pass = (of: Run, count: number, timestampWrites?: GPUComputePassTimestampWrites) => {
      const encoding = encoder.beginComputePass({ timestampWrites })
      encoding.setPipeline(of.pipeline)
      encoding.setBindGroup(0, of.group)
      for (let i = 0; i < count; i++) encoding.dispatchWorkgroups(...of.groups)
      encoding.end()
    }
    pass(this.#heater, this.#heating)
    pass(run, 1)
    for (let i = 0; i < TURNS; i++) {
      const at = { querySet: this.#queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 }
      pass(run, each, at)
    }
    encoder.resolveQuerySet(this.#queries, 0, 2 * TURNS, this.#resolved, 0)
    this.#gpu.queue.submit([encoder.finish()])
    const times = new BigUint64Array(await bytesOf(this.#gpu, this.#resolved, 0, 16 * TURNS))
    const took = Array.from({ length: TURNS }, (_, i) => Number(times[2 * i + 1] - times[2 * i]) / 1e6 / each)
    return took.sort((a, b) => a - b)[TURNS >> 1]
  }
}

export async function runOf(
  gpu: GPUDevice,
  code: string,
  buffers: readonly GPUBuffer[],
  groups: readonly [number, number, number],
): Promise<Run> {
  const module = gpu.createShaderModule({ code })
  const pipeline = await gpu.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } })
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
  return { pipeline, groups, group: gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) }
}

const STORAGE = 0x80 | 0x4 | 0x8 // STORAGE | COPY_SRC | COPY_DST

export const empty = (gpu: GPUDevice, size: number): GPUBuffer => gpu.createBuffer({ size, usage: STORAGE })

export function uniforms(gpu: GPUDevice, values: readonly (number | { f32: number })[]): GPUBuffer {
  const words = new Uint32Array(Math.ceil(values.length / 4) * 4)
  values.forEach((value, i) => {
    if (typeof value === 'number') words[i] = value
    else new Float32Array(words.buffer)[i] = value.f32
  })
  return filled(gpu, words, GPUBufferUsage.UNIFORM)
}

export function filled(gpu: GPUDevice, data: Uint32Array | Uint16Array, usage = STORAGE): GPUBuffer {
  const buffer = gpu.createBuffer({ size: data.byteLength, usage, mappedAtCreation: true })
  new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  buffer.unmap()
  return buffer
}

export async function bytesOf(gpu: GPUDevice, from: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
  const to = gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
  const encoder = gpu.createCommandEncoder()
  encoder.copyBufferToBuffer(from, offset, to, 0, size)
  gpu.queue.submit([encoder.finish()])
  await to.mapAsync(GPUMapMode.READ)
  const bytes = to.getMappedRange().slice(0)
  to.destroy()
  return bytes
}
