import type { Device } from '../device.ts'
import type { kernel } from '../kernels.ts'

/** Submits one dispatch of a prepared kernel. */
export function dispatchOnce(
  device: Device,
  code: ReturnType<typeof kernel>,
  places: readonly GPUBufferBinding[],
  groups: readonly [number, number, number],
): void {
  const pipeline = device.pipelines.get(code)!
  const encoder = device.gpu.createCommandEncoder()
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(
    0,
    device.gpu.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: places.map((resource, binding) => ({ binding, resource })),
    }),
  )
  pass.dispatchWorkgroups(...groups)
  pass.end()
  device.gpu.queue.submit([encoder.finish()])
}
