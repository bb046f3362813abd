import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** A file's sum, as its etag tells it. */
export interface Sum {
  /** 'SHA-256' or 'git blob SHA-1'; none where the etag is no sum. */
  readonly kind: string | undefined
  update(bytes: Uint8Array): void
  /** As etags are written. */
  value(): string
}

/** @param size of the whole file, which git's sum begins with */
export function sumFor(etag: string, size: number): Sum {
  const kind = /^[0-9a-f]{64}$/.test(etag) ? 'SHA-256' : /^[0-9a-f]{40}$/.test(etag) ? 'git blob SHA-1' : undefined
  if (!kind) return { kind, update() {}, value: () => etag }
  const hash = createHash(kind === 'SHA-256' ? 'sha256' : 'sha1')
  if (kind !== 'SHA-256') hash.update(`blob ${size}\0`)
  return { kind, update: (bytes) => void hash.update(bytes), value: () => hash.digest('hex') }
}

/** Adds the first `bytes` of a file. */
export async function addFile(sum: Sum, path: string, bytes: number): Promise<void> {
  if (bytes === 0 || !sum.kind) return
  for await (const part of createReadStream(path, { end: bytes - 1, highWaterMark: 2 ** 20 })) sum.update(part)
}
