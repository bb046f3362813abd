import { DitError } from './errors.ts'
import type { Kernel } from './kernel.ts'

/** Compiled pipelines by kernel name. Compilation is asynchronous and side by side; a name is compiled once. */
export class PipelineCache {
  readonly #device: GPUDevice
  readonly #ready = new Map<string, GPUComputePipeline>()
  readonly #pending = new Map<string, Promise<void>>()
  readonly #compiling: <T>(work: () => Promise<T>) => Promise<T>

  /** @param compiling how to wait for the device while it compiles */
  constructor(device: GPUDevice, compiling: <T>(work: () => Promise<T>) => Promise<T> = (work) => work()) {
    this.#device = device
    this.#compiling = compiling
  }

  /** Compiled already, or undefined. */
  get(kernel: Kernel): GPUComputePipeline | undefined {
    return this.#ready.get(kernel.name)
  }

  /** Compiles all that are missing, side by side. */
  async prepare(kernels: Iterable<Kernel>): Promise<void> {
    const missing = [...kernels].filter(({ name }) => !this.#ready.has(name))
    if (missing.length > 0) await this.#compiling(() => Promise.all(missing.map((kernel) => this.#job(kernel))))
  }

  #job(kernel: Kernel): Promise<void> {
    let job = this.#pending.get(kernel.name)
    if (!job) {
      job = this.#compile(kernel)
      this.#pending.set(kernel.name, job)
    }
    return job
  }

  async #compile(kernel: Kernel): Promise<void> {
    this.#device.pushErrorScope('validation')
    const module = this.#device.createShaderModule({ code: kernel.code, label: kernel.name })
    const parsed = this.#device.popErrorScope()
    try {
      const error = await parsed
      if (error) throw new Error(error.message)
      const pipeline = await this.#device.createComputePipelineAsync({
        layout: 'auto',
        label: kernel.name,
        compute: { module, entryPoint: 'main' },
      })
      this.#ready.set(kernel.name, pipeline)
    } catch (cause) {
      throw new DitError(
        'validation',
        `kernel ${kernel.name} did not compile: ${cause instanceof Error ? cause.message : String(cause)}`,
        'this is a fault of webdit or of the GPU driver: please report it with the output of `webdit doctor`',
        { cause },
      )
    } finally {
      this.#pending.delete(kernel.name)
    }
  }
}
