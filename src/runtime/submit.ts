import type { Device } from './device.ts'
import type { Kernel } from './kernel.ts'
import type { Timestamps } from './profiling/timestamps.ts'
import type { Placement, Tensor } from './tensor.ts'
import { UniformPacker, type UniformValue } from './uniforms.ts'

/** One recorded dispatch. */
export interface Dispatch {
  readonly kernel: Kernel
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  /** It writes a part of its outputs, and what else they hold stays. */
  readonly keepsRest?: boolean
  readonly uniforms: readonly UniformValue[]
  readonly groups: readonly [number, number, number]
}

interface Uniforms {
  readonly block: GPUBuffer
  readonly data: Uint8Array<ArrayBuffer>
  /** Of each dispatch. */
  readonly slots: readonly { readonly offset: number; readonly size: number }[]
}

/**
 * Encodes the dispatches and submits them at once.
 *
 * @param places the buffers of each dispatch's inputs, then of its outputs
 */
export async function submit(device: Device, dispatches: Dispatch[], places: Placement[][]): Promise<void> {
  const { profiler } = device
  const uniforms = await uniformsOf(device, dispatches)
  if (!profiler) return device.checked(() => encode(device, dispatches, places, uniforms))
  const timestamps = profiler.timestamps(dispatches)
  try {
    await device.checked(() => encode(device, dispatches, places, uniforms, timestamps))
    await profiler.submitted(dispatches, timestamps)
  } finally {
    timestamps?.destroy()
  }
}

/** All that the dispatches are told in numbers, and the buffer for it; written right before they are submitted. */
async function uniformsOf(device: Device, dispatches: Dispatch[]): Promise<Uniforms> {
  const packer = new UniformPacker(device.gpu.limits.minUniformBufferOffsetAlignment)
  const slots = dispatches.map((d) => packer.add(d.uniforms))
  return { block: await device.uniformBuffer(packer.bytes), data: packer.data, slots }
}

/** In one compute pass; in one a dispatch where each is timed. */
function encode(
  device: Device,
  dispatches: Dispatch[],
  places: Placement[][],
  uniforms: Uniforms,
  timestamps?: Timestamps,
): void {
  const { gpu, pipelines, bindGroups } = device
  gpu.queue.writeBuffer(uniforms.block, 0, uniforms.data)
  const encoder = gpu.createCommandEncoder()
  let pass: GPUComputePassEncoder | undefined
  dispatches.forEach((d, i) => {
    const pipeline = pipelines.get(d.kernel)!
    const slot = { buffer: uniforms.block, ...uniforms.slots[i] }
    const bytes = [...d.inputs, ...d.outputs].map((tensor) => tensor.bytes)
    if (timestamps || device.poison) {
      pass?.end()
      pass = undefined
      d.outputs.forEach((tensor, k) => {
        if (!d.keepsRest && !d.inputs.includes(tensor))
          device.poison?.(encoder, places[i][d.inputs.length + k].buffer, tensor.bytes)
      })
    }
    pass ??= encoder.beginComputePass(timestamps?.pass(i))
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, bindGroups.get(pipeline, slot, places[i], bytes))
    pass.dispatchWorkgroups(...d.groups)
  })
  pass?.end()
  timestamps?.resolve(encoder)
  gpu.queue.submit([encoder.finish()])
}
