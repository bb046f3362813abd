import { BufferLedger } from './buffer_ledger.ts'
import type { Device } from './device.ts'
import { currentRuntime, type GpuPlatform } from './platform/platform.ts'

/** What of a device decides how much memory a run takes: its limits, its features (the tier), its kind. */
export interface DeviceTraits {
  readonly info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'>
  readonly features: Iterable<string>
  readonly limits: Partial<Record<keyof GPUSupportedLimits, number>>
}

/** The traits of an opened device. */
export function traitsOf({ info, features, gpu: { limits } }: Pick<Device, 'info' | 'features' | 'gpu'>): DeviceTraits {
  const { maxBufferSize, maxStorageBufferBindingSize, minUniformBufferOffsetAlignment } = limits
  return { info, features, limits: { maxBufferSize, maxStorageBufferBindingSize, minUniformBufferOffsetAlignment } }
}

/**
 * WebGPU on paper: buffers have sizes and no bytes, kernels are not compiled, commands do nothing, and what is read
 * back is zeros. Everything that runs on a device runs on it as well, at once, and `ledger` knows afterwards what it
 * would have needed. No driver is asked for anything.
 */
export function paperPlatform(traits: DeviceTraits): GpuPlatform & { readonly ledger: BufferLedger } {
  defineConstants()
  const ledger = new BufferLedger()
  const adapter = { ...traits, features: new Set(traits.features), requestDevice: async () => paperGpu(traits, ledger) }
  return {
    runtime: currentRuntime(),
    backend: 'paper',
    gpu: { requestAdapter: async () => adapter } as unknown as GPU,
    hint: '',
    close() {},
    ledger,
  }
}

const made = new WeakSet<GPUDevice>()

/** Whether nothing that is done there gives anything: bytes need not be kept for it. */
export const isOnPaper = ({ gpu }: Pick<Device, 'gpu'>): boolean => made.has(gpu)

function paperGpu({ limits, features }: DeviceTraits, ledger: BufferLedger): GPUDevice {
  const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} }
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer() {}, clearBuffer() {}, finish: () => ({}) }
  const pipeline = { getBindGroupLayout: () => ({}) }
  const gpu = {
    limits: { minUniformBufferOffsetAlignment: 256, ...limits },
    features: new Set(features),
    lost: new Promise(() => {}),
    addEventListener() {},
    destroy() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createShaderModule: () => ({}),
    createComputePipelineAsync: async () => pipeline,
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
    createBuffer: (descriptor: GPUBufferDescriptor) => paperBuffer(descriptor, ledger),
    queue: {
      submit() {},
      writeBuffer: (_buffer: unknown, _offset: number, data: ArrayBufferView) => ledger.wrote(data.byteLength),
      onSubmittedWorkDone: async () => ledger.settled(),
    },
  }
  made.add(gpu as unknown as GPUDevice)
  return gpu as unknown as GPUDevice
}

function paperBuffer(descriptor: GPUBufferDescriptor, ledger: BufferLedger) {
  const forget = ledger.created(descriptor)
  return {
    size: descriptor.size,
    mapAsync: async () => ledger.mapped(),
    getMappedRange: () => (descriptor.mappedAtCreation ? scratch(descriptor.size) : new ArrayBuffer(descriptor.size)),
    unmap() {},
    destroy: forget,
  }
}

let written = new ArrayBuffer(0)

/** Where bytes for the device are written: one place for all, since none is ever read. */
function scratch(size: number): ArrayBuffer {
  if (written.byteLength < size) written = new ArrayBuffer(size)
  return written
}

/** WebGPU's own constants, which a runtime without WebGPU lacks: Node, before a platform was opened. */
function defineConstants(): void {
  const constants = {
    GPUBufferUsage: {
      MAP_READ: 0x1,
      MAP_WRITE: 0x2,
      COPY_SRC: 0x4,
      COPY_DST: 0x8,
      INDEX: 0x10,
      VERTEX: 0x20,
      UNIFORM: 0x40,
      STORAGE: 0x80,
      INDIRECT: 0x100,
      QUERY_RESOLVE: 0x200,
    },
    GPUMapMode: { READ: 0x1, WRITE: 0x2 },
  }
  for (const [name, value] of Object.entries(constants)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }
}
