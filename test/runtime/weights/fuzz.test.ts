import { describe, expect, it } from 'vitest'
import { DitError } from '../../../src/runtime/errors.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { readSafetensorsHeader, readTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors.ts'

const MUTATIONS = 3000
const VALID = writeSafetensors(
  {
    'blocks.0.attn.weight': { dtype: 'F32', shape: [3, 4], data: new Float32Array(12).fill(0.5) },
    'blocks.0.attn.bias': { dtype: 'F16', shape: [4], data: new Uint16Array(4).fill(0x3c00) },
    ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) },
    flag: { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) },
  },
  { format: 'pt' },
)
const HEADER_END = 8 + Number(new DataView(VALID.buffer).getBigUint64(0, true))
const SNIPPETS = [
  '-1',
  '1e308',
  'NaN',
  '[',
  '}',
  '"',
  '\\u0000',
  '99999999999999999999',
  'BF16',
  '{"a":',
  ',',
  'null',
  '[0,0]',
]

/** mulberry32: small, seeded, good enough to choose mutations. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

function mutate(random: (below: number) => number): Uint8Array {
  const file = VALID.slice()
  switch (random(5)) {
    case 0: // flip bits anywhere in prefix and header
      for (let i = random(4); i >= 0; i--) file[random(HEADER_END)] ^= 1 << random(8)
      return file
    case 1: // truncate
      return file.subarray(0, random(file.length))
    case 2: // append
      return Uint8Array.of(...file, ...new Uint8Array(1 + random(64)))
    case 3: {
      // change a digit, so that the header stays JSON
      const digits = [...file.keys()].filter((i) => i >= 8 && i < HEADER_END && file[i] >= 0x30 && file[i] <= 0x39)
      file[digits[random(digits.length)]] = 0x30 + random(10)
      return file
    }
    default: {
      // put a snippet into the header and correct the length before it
      const at = 8 + random(HEADER_END - 8)
      const snippet = new TextEncoder().encode(SNIPPETS[random(SNIPPETS.length)])
      const edited = Uint8Array.of(...file.subarray(0, at), ...snippet, ...file.subarray(at + random(8)))
      new DataView(edited.buffer).setBigUint64(0, BigInt(HEADER_END - 8 + edited.length - file.length), true)
      return edited
    }
  }
}

describe('a mutated safetensors file', () => {
  it(`is read or refused with a DitError, ${MUTATIONS} times`, async () => {
    const random = randomFrom(20260)
    const outcomes = { read: 0, corrupt: 0, unsupported: 0 }
    const start = performance.now()
    for (let i = 0; i < MUTATIONS; i++) {
      const source = memorySource(new Map([['f', mutate(random)]]))
      try {
        const file = await readSafetensorsHeader(source, 'f')
        for (const name of file.tensors.keys()) await readTensor(source, file, name)
        outcomes.read++
      } catch (error) {
        if (!(error instanceof DitError)) throw new Error(`mutation ${i} gave ${String(error)}`, { cause: error })
        outcomes[error.kind as 'corrupt' | 'unsupported']++
      }
    }
    expect(outcomes.read + outcomes.corrupt + outcomes.unsupported).toBe(MUTATIONS)
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(10)
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})
