import { noteNotFinite } from '../runtime/ops/index.ts'
import type { Recorder } from '../runtime/recorder.ts'
import type { Tensor } from '../runtime/tensor.ts'
import { notANumber } from './decode_latents.ts'

/** Steps that are looked at while they run. */
const AHEAD = 2

/** Watches latents for values that are no finite numbers, with a word on the device that is read when somebody asks. */
export class FiniteWatch {
  readonly #noted: Tensor
  readonly #steps: number
  /** Where the word is read, in turns. */
  readonly #readers: GPUBuffer[] = []
  #checks = 0

  constructor(g: Recorder, steps: number) {
    this.#steps = steps
    this.#noted = g.keep([1], 'u32', 'first step that is not finite')
    if (!g.rehearsing) g.device.write(this.#noted.placement!, new Uint8Array(4))
  }

  /** Latents after a step, counted from 0. */
  look(g: Recorder, latents: Tensor, step: number): void {
    // The earliest step has the greatest mark, and 0 is none.
    noteNotFinite(g, latents, this.#noted, this.#steps - step)
  }

  /** To be awaited before the first `check`, which asks the device at once. */
  async open({ device }: Recorder): Promise<void> {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
    while (this.#readers.length < AHEAD) {
      this.#readers.push(await device.buffer({ size: 4, usage, label: 'first step that is not finite' }))
    }
  }

  /**
   * Settles when the device has run all that is submitted by now. At most two checks may be pending.
   *
   * @throws DitError 'corrupt' naming the first step that was not finite, of those that have run
   */
  async check({ device }: Recorder): Promise<void> {
    const reader = this.#readers[this.#checks++ % AHEAD]
    const encoder = device.gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(this.#noted.placement!.buffer, 0, reader, 0, 4)
    device.gpu.queue.submit([encoder.finish()])
    await device.settled(reader.mapAsync(GPUMapMode.READ))
    const [mark] = new Uint32Array(reader.getMappedRange().slice(0))
    reader.unmap()
    device.throwIfFailed()
    if (mark === 0) return
    throw notANumber(`the latents came out as not-a-number in step ${this.#steps - mark + 1} of ${this.#steps}`)
  }

  drop(g: Recorder): void {
    for (const reader of this.#readers.splice(0)) reader.destroy()
    g.drop(this.#noted)
  }
}
