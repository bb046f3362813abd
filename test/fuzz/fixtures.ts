import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { mutateBytes } from './mutations/bytes.ts'
import { mutateJson } from './mutations/json.ts'
import type { Files, Mutation } from './mutations/mutation.ts'
import { mutateSafetensors } from './mutations/safetensors.ts'
import { mutateSentencePiece } from './mutations/sentencepiece.ts'
import type { Random } from './random.ts'

// The fuzzer is bundled elsewhere and started in the package's folder.
export const GOLDEN = resolve('test/fixtures/golden')
export const EMOJI = resolve('models/emoji-pixart')

/** What golden cases hold beside checkpoints. */
const NOT_CHECKPOINT = /(^|\/)(io[^/]*\.safetensors|meta\.json|tokens\.json)$/

/** A folder's files, or those named, by their paths inside it. */
export function folder(root: string, only?: readonly string[]): Files {
  const names = (only ?? readdirSync(root, { recursive: true, encoding: 'utf8' }))
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => /\.(json|safetensors|model|txt)$/.test(name) && !NOT_CHECKPOINT.test(name))
  return new Map(names.sort().map((name) => [name, new Uint8Array(readFileSync(join(root, name)))]))
}

/** A change by the mutator that knows the file's format. */
export function mutateFile(r: Random, path: string, bytes: Uint8Array): Mutation {
  if (path.endsWith('.safetensors')) return mutateSafetensors(r, bytes)
  if (path.endsWith('.json')) return mutateJson(r, bytes)
  return path.endsWith('.model') ? mutateSentencePiece(r, bytes) : mutateBytes(r, bytes)
}
