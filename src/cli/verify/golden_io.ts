import { readSafetensorsHeader, readTensor, type SafetensorsFile } from '../../runtime/weights/safetensors.ts'
import type { Source } from '../../runtime/weights/source.ts'

export type Numbers = Exclude<Awaited<ReturnType<typeof readTensor>>['data'], BigInt64Array | BigUint64Array>

/** A tensor on the host. Integers of 64 bits become numbers. */
export interface HostArray {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}

/** The tensors of a case's safetensors file, read one by one; it remembers which were asked for. */
export class GoldenIo {
  readonly #source: Source
  readonly #file: SafetensorsFile
  readonly #asked = new Set<string>()

  private constructor(source: Source, file: SafetensorsFile) {
    this.#source = source
    this.#file = file
  }

  /** @throws DitError 'not-found', 'corrupt' */
  static async open(source: Source, path: string): Promise<GoldenIo> {
    return new GoldenIo(source, await readSafetensorsHeader(source, path))
  }

  get names(): string[] {
    return [...this.#file.tensors.keys()].sort()
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name)
  }

  /** @throws DitError 'not-found' */
  async tensor(name: string): Promise<{ shape: number[]; data: Numbers }> {
    this.#asked.add(name)
    const { shape, data } = await readTensor(this.#source, this.#file, name)
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      return { shape, data: Float64Array.from(data as BigInt64Array, Number) }
    }
    return { shape, data }
  }

  async floats(name: string): Promise<Float32Array> {
    const { data } = await this.tensor(name)
    return data instanceof Float32Array ? data : Float32Array.from(data)
  }

  /** Tensors with this prefix that nobody asked for. */
  unread(prefix: string): string[] {
    return this.names.filter((name) => name.startsWith(prefix) && !this.#asked.has(name))
  }
}
