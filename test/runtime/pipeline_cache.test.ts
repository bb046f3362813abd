import { expect, it } from 'vitest'
import type { DitError } from '../../src/runtime/errors.ts'
import { PipelineCache } from '../../src/runtime/pipeline_cache.ts'
import { testDevice } from '../support/device.ts'

const kernel = (name: string, body = '') => ({ name, code: `@compute @workgroup_size(1) fn main() { ${body} }` })

it('compiles a name once, also where two ask for it at the same time', async () => {
  const { gpu } = await testDevice()
  let compiled = 0
  const counting = new Proxy(gpu, {
    get(target, key) {
      if (key === 'createComputePipelineAsync') compiled++
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const cache = new PipelineCache(counting)
  const [a, b] = [kernel('a'), kernel('b')]
  expect(cache.get(a)).toBeUndefined()
  await Promise.all([cache.prepare([a, b, a]), cache.prepare([b])])
  await cache.prepare([a, b])
  expect(compiled).toBe(2)
  expect(cache.get(a)).toBeDefined()
  expect(cache.get(b)).not.toBe(cache.get(a))
})

it('names the kernel and the fault of code that does not compile, and tries again when asked again', async () => {
  const cache = new PipelineCache((await testDevice()).gpu)
  const broken = kernel('broken.w4', 'let x: u32 = 1.5;')
  for (let time = 0; time < 2; time++) {
    const error: DitError = await cache.prepare([broken]).then(
      () => expect.fail('compiled'),
      (reason) => reason,
    )
    expect(error.kind).toBe('validation')
    expect(error.message).toMatch(/broken\.w4.*u32/s)
  }
  expect(cache.get(broken)).toBeUndefined()
})
