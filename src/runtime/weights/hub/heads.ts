import { DitError } from '../../errors.ts'
import { describePath, type Source } from '../source.ts'

/** Bytes of the length before a safetensors header. */
const PREFIX_BYTES = 8
/** A longer header is read from the whole file. */
const MOST_BYTES = 16 * 2 ** 20

/** Reads the headers of safetensors files from a server, where the files are not here yet. */
export class HeadReader {
  readonly #remote: Source
  /** Where the headers end, by file. */
  readonly #ends = new Map<string, number>()
  /** What was read, to hold against the file when it is here: only then is there a sum. */
  readonly #read = new Map<string, { offset: number; bytes: Uint8Array }[]>()

  constructor(remote: Source) {
    this.#remote = remote
  }

  /** Reads into `target` what belongs to a header; false for anything else, and where the server does not give it. */
  async read(path: string, offset: number, target: Uint8Array): Promise<boolean> {
    const end = offset + target.byteLength
    const isPrefix = offset === 0 && end === PREFIX_BYTES && path.endsWith('.safetensors')
    if (!isPrefix && end > (this.#ends.get(path) ?? 0)) return false
    try {
      await this.#remote.readInto(path, offset, target)
    } catch (error) {
      if (error instanceof DitError && error.kind === 'aborted') throw error
      return false
    }
    if (isPrefix) {
      const length = new DataView(target.buffer, target.byteOffset).getBigUint64(0, true)
      this.#ends.set(path, length <= MOST_BYTES ? PREFIX_BYTES + Number(length) : PREFIX_BYTES)
    }
    const parts = this.#read.get(path) ?? []
    this.#read.set(path, [...parts, { offset, bytes: target.slice() }])
    return true
  }

  /** @throws DitError 'corrupt' where a file's own header is another than was read before */
  async compare(path: string, local: Source): Promise<void> {
    for (const { offset, bytes } of this.#read.get(path) ?? []) {
      const own = new Uint8Array(bytes.byteLength)
      await local.readInto(path, offset, own)
      if (own.every((byte, i) => byte === bytes[i])) continue
      throw new DitError(
        'corrupt',
        `the header of ${describePath(this.#remote, path)} was another before the file was fetched`,
        'The file is right now: run again.',
      )
    }
    this.#read.delete(path)
  }
}
