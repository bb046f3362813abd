import { DitError } from '../../errors.ts'
import { describePath, type SourceFile } from '../source.ts'

/** Bytes read at once: most headers of networks are shorter; those with a tokenizer's vocabulary take a few. */
const WINDOW = 2 ** 18

/** The longest header that is read, in bytes, as of safetensors. */
const MAX_HEADER_BYTES = 100_000_000

/** Walks through the header of a file, from its beginning on; numbers are little-endian. */
export class Cursor {
  readonly where: string
  readonly size: number
  readonly #file: SourceFile
  #window = new Uint8Array()
  #view = new DataView(new ArrayBuffer(0))
  /** Where the window begins in the file, and the next byte in the window. */
  #begin = 0
  #at = 0

  constructor(file: SourceFile, size: number) {
    this.#file = file
    this.where = describePath(file.source, file.path)
    this.size = size
  }

  /** Bytes from the beginning of the file on. */
  get position(): number {
    return this.#begin + this.#at
  }

  /** Makes so many bytes readable. @throws DitError 'corrupt' where the file has fewer, or a header cannot be that long */
  need(bytes: number): Promise<void> | undefined {
    return this.#at + bytes <= this.#window.length ? undefined : this.#read(bytes)
  }

  /** Passes over bytes, which are not read. */
  skip(bytes: number): void {
    this.#check(bytes)
    this.#at += bytes
  }

  u8 = (): number => this.#view.getUint8(this.#advance(1))
  u32 = (): number => this.#view.getUint32(this.#advance(4), true)
  i32 = (): number => this.#view.getInt32(this.#advance(4), true)

  /** A count or an offset. @throws DitError 'corrupt' where it is larger than any file */
  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#advance(8), true))
    if (Number.isSafeInteger(value)) return value
    throw this.fault(`a number of its header is ${value}`)
  }

  bytes(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.#window.subarray(at, at + length)
  }

  fault(what: string, cause?: unknown): DitError {
    return new DitError('corrupt', `${this.where} is not a valid GGUF file: ${what}`, 'Fetch the file again.', {
      cause,
    })
  }

  #advance(bytes: number): number {
    const at = this.#at
    this.#at += bytes
    return at
  }

  #check(bytes: number): void {
    const end = this.position + bytes
    if (end > this.size) throw this.fault(`its header goes on behind its end, at ${this.size} bytes`)
    if (end > MAX_HEADER_BYTES) throw this.fault(`its header takes more than ${MAX_HEADER_BYTES} bytes`)
  }

  async #read(bytes: number): Promise<void> {
    this.#check(bytes)
    const begin = this.position
    const window = new Uint8Array(Math.min(Math.max(bytes, WINDOW), this.size - begin))
    await this.#file.source.readInto(this.#file.path, begin, window)
    this.#window = window
    this.#view = new DataView(window.buffer)
    this.#begin = begin
    this.#at = 0
  }
}
