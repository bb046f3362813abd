import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { renamedCheckpoint } from '../../../src/runtime/weights/renamed.ts'
import { type HostTensor, writeSafetensors } from '../../../src/runtime/weights/safetensors_writer.ts'

const tensor = (value: number): HostTensor => ({ dtype: 'F32', shape: [1], data: new Float32Array([value]) })

async function renamed(names: string[]) {
  const tensors = Object.fromEntries(names.map((name, i) => [name, tensor(i)]))
  const source = memorySource(new Map([['model.safetensors', writeSafetensors(tensors)]]))
  return renamedCheckpoint(await openCheckpoint(source, '', 'model'), (name) => name.replace(/^old\./, 'new.'))
}

describe('a checkpoint with other names', () => {
  it('gives its tensors by the new names alone', async () => {
    const checkpoint = await renamed(['old.b', 'other', 'new.a'])
    expect(checkpoint.names()).toEqual(['new.a', 'new.b', 'other'])
    expect(['old.b', 'new.b', 'other'].map(checkpoint.has)).toEqual([false, true, true])
    expect((await checkpoint.read('new.b')).data[0]).toBe(0)
    expect((await checkpoint.read('new.a')).data[0]).toBe(2)
    expect(checkpoint.entry('new.b').tensor.shape).toEqual([1])
    expect(() => checkpoint.entry('new.c')).toThrow('no tensor "new.c"')
  })

  it('leaves a name whose new one is taken, for the loader to tell', async () => {
    const checkpoint = await renamed(['old.a', 'new.a'])
    expect(checkpoint.names()).toEqual(['new.a', 'old.a'])
    expect((await checkpoint.read('new.a')).data[0]).toBe(1)
    expect((await checkpoint.read('old.a')).data[0]).toBe(0)
  })
})
