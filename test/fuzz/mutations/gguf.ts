import { type GgufFields, type GgufTensorData, type Metadata, writeGguf } from '../../support/gguf.ts'
import type { Random } from '../random.ts'
import { joined, mutateBytes } from './bytes.ts'
import { changed, type Mutation, unchanged } from './mutation.ts'

/** What a GGUF file is written of. */
export interface GgufParts {
  readonly metadata: Readonly<Record<string, Metadata>>
  readonly tensors: Readonly<Record<string, GgufTensorData>>
}

const WORDS = [0, 1, 2, 8, 9, 13, 0x7f, 0xffff, 2 ** 31, 2 ** 32 - 1]
const LONG_WORDS = [0n, 1n, 7n, 2n ** 16n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n]
const DIMENSIONS = [0, 1, 31, 33, 64, 2 ** 31, 2 ** 40]

/** A change to a GGUF file that knows what it is written of, or one that does not. */
export function mutateGguf(r: Random, { metadata, tensors }: GgufParts): Mutation {
  const write = (fields?: GgufFields, keys = metadata, all = tensors) => writeGguf(keys, all, fields)
  const bytes = write()
  switch (r.below(12)) {
    case 0:
      return mutateBytes(r, bytes)
    case 1: {
      const edited = bytes.slice()
      const [at, word] = [r.below(edited.length - 4), r.pick(WORDS)]
      new DataView(edited.buffer).setUint32(at, word, true)
      return changed(edited, `${word} at byte ${at}`)
    }
    case 2: {
      const edited = bytes.slice()
      const [at, word] = [r.below(edited.length - 8), r.pick(LONG_WORDS)]
      new DataView(edited.buffer).setBigUint64(at, word, true)
      return changed(edited, `${word} in 8 bytes at ${at}`)
    }
    case 3: {
      const more = { 'a note': 'x'.repeat(r.below(300)), list: ['a', 'bc'], numbers: [1, 2, 3], none: [] }
      return unchanged(write({}, Object.fromEntries(r.shuffled(Object.entries({ ...metadata, ...more })))), 'more keys')
    }
    case 4:
      return unchanged(write({}, metadata, Object.fromEntries(r.shuffled(Object.entries(tensors)))), 'another order')
    case 5:
      return unchanged(write({ version: 2 }), 'version 2')
    case 6: {
      const alignment = r.pick([1, 2, 64, 4096])
      return unchanged(write({ alignment }, { ...metadata, 'general.alignment': alignment }), `alignment ${alignment}`)
    }
    case 7: {
      const version = r.pick(WORDS)
      return version === 2
        ? unchanged(write({ version }), 'version 2')
        : changed(write({ version }), `version ${version}`)
    }
    case 8: {
      const cut = 1 + r.below(bytes.length - 1)
      return changed(bytes.subarray(0, cut), `cut after ${cut} bytes`)
    }
    case 9: {
      const more = r.below(100)
      return changed(joined(bytes, new Uint8Array(more)), `${more} zeros more`)
    }
    case 10: {
      const keys = {
        ...metadata,
        [r.pick(Object.keys(metadata))]: r.pick<Metadata>(['', 'x', 0, 2 ** 31, [1], ['x'], []]),
      }
      return changed(write({}, keys), `keys ${JSON.stringify(keys)}`)
    }
    default: {
      const name = r.pick(Object.keys(tensors))
      const { type, shape, data } = tensors[name]
      const edited = r.pick<[string, GgufTensorData]>([
        [name, { type: r.below(45), shape, data }],
        [name, { type, shape: shape.with(r.below(shape.length), r.pick(DIMENSIONS)), data }],
        [name, { type, shape: shape.toReversed(), data }],
        [name, { type, shape: Array(r.below(8)).fill(1), data }],
        [r.pick(['', 'x'.repeat(100_000), '\u0000', 'line\nbreak', '__proto__']), tensors[name]],
      ])
      const all = Object.fromEntries([...Object.entries(tensors).filter(([other]) => other !== name), edited])
      return changed(
        write({}, metadata, all),
        `${name} edited: ${JSON.stringify([edited[0].slice(0, 20), edited[1].type, edited[1].shape])}`,
      )
    }
  }
}
