/** A value of a kernel's uniform block: every field is four bytes, in the order the kernel declares them. */
export type UniformValue = number | { readonly f32: number }

/** Packs the uniform blocks of many dispatches into one buffer, each at the alignment the device asks for. */
export class UniformPacker {
  readonly #align: number
  #words = new Uint32Array(1024)
  #floats = new Float32Array(this.#words.buffer)
  #end = 0 // bytes

  constructor(align: number) {
    this.#align = align
  }

  /** Appends one block (u32 for plain numbers, f32 for `{ f32 }`) and says where it is. */
  add(values: readonly UniformValue[]): { offset: number; size: number } {
    const offset = this.#end
    // Uniform structs are sized in multiples of 16 bytes.
    const size = Math.max(16, Math.ceil(values.length / 4) * 16)
    this.#end = offset + Math.ceil(size / this.#align) * this.#align
    this.#grow(this.#end)
    values.forEach((value, i) => {
      if (typeof value === 'number') this.#words[offset / 4 + i] = value
      else this.#floats[offset / 4 + i] = value.f32
    })
    return { offset, size }
  }

  get bytes(): number {
    return this.#end
  }

  get data(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.buffer as ArrayBuffer, 0, this.#end)
  }

  #grow(bytes: number): void {
    if (bytes <= this.#words.byteLength) return
    const grown = new Uint32Array(Math.max(bytes / 4, this.#words.length * 2))
    grown.set(this.#words)
    this.#words = grown
    this.#floats = new Float32Array(grown.buffer)
  }
}
