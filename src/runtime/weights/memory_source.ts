import { checkPath, fileEndsEarly, fileNotFound, readTextFrom, type Source } from './source.ts'

/** A checkpoint folder held in memory: path to bytes. */
export function memorySource(files: Map<string, Uint8Array>, name = 'memory'): Source {
  function bytesOf(path: string): Uint8Array {
    const bytes = files.get(checkPath(path))
    if (!bytes) throw fileNotFound({ name }, path)
    return bytes
  }
  const source: Source = {
    name,
    async size(path) {
      return bytesOf(path).byteLength
    },
    async exists(path) {
      return files.has(checkPath(path))
    },
    async list(dir) {
      const prefix = checkPath(dir) ? `${dir}/` : ''
      const inside = [...files.keys()].filter((path) => path.startsWith(prefix))
      return [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0]))].sort()
    },
    async readInto(path, offset, target) {
      const bytes = bytesOf(path)
      const end = offset + target.byteLength
      if (end > bytes.byteLength) throw fileEndsEarly(source, path, end, bytes.byteLength)
      target.set(bytes.subarray(offset, end))
    },
    readText: (path, maxBytes) => readTextFrom(source, path, maxBytes),
    async close() {},
  }
  return source
}
