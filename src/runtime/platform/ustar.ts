import { DitError } from '../errors.ts'

const BLOCK = 512 // bytes; headers and contents are padded to it (POSIX.1-1988 ustar)
const REGULAR = new Set(['0', '\0'])

/**
 * The regular files of a tar archive, as views of its bytes.
 *
 * @throws DitError 'corrupt' for a header whose checksum is wrong, or a file that runs over the end
 */
export function* readTar(archive: Uint8Array): Generator<{ name: string; bytes: Uint8Array }> {
  const text = new TextDecoder()
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK)
    if (header.every((byte) => byte === 0)) return
    const field = (from: number, length: number) =>
      text
        .decode(header.subarray(from, from + length))
        .replace(/\0.*$/s, '')
        .trim()
    const octal = (from: number, length: number) => Number.parseInt(field(from, length), 8)

    // The checksum counts its own eight bytes, at 148, as spaces.
    const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0)
    if (sum !== octal(148, 8)) throw new DitError('corrupt', `tar header at byte ${at} has a wrong checksum`)
    const size = octal(124, 12)
    const start = at + BLOCK
    if (start + size > archive.length) {
      throw new DitError('corrupt', `tar file '${field(0, 100)}' of ${size} bytes runs over the archive's end`)
    }
    const prefix = field(345, 155)
    if (REGULAR.has(String.fromCharCode(header[156]))) {
      yield { name: (prefix ? `${prefix}/` : '') + field(0, 100), bytes: archive.subarray(start, start + size) }
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
}
