import { proxy, releaseProxy } from 'comlink'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundle, type Scripts, startProcess, type TestProcess } from './ranks.ts'

let scripts: Scripts
let child: TestProcess
beforeAll(async () => {
  scripts = await bundle()
  child = startProcess(scripts.entry, { WEBDIT_TEST: 'of its own' })
})
afterAll(async () => {
  child?.terminate()
  await child?.end
  await scripts?.remove()
})

it('callbacks are heard in order, and answer', async () => {
  const heard: number[] = []
  const answers = await child.api.count(
    20,
    proxy((i: number) => {
      heard.push(i)
      return i % 3 === 0 ? new Promise((resolve) => setTimeout(() => resolve(-i), 5)) : { i }
    }),
  )
  expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(answers).toEqual(heard.map((i) => (i % 3 === 0 ? -i : { i })))
})

it('several at once do not hear each other', async () => {
  const heard: string[] = []
  await Promise.all(
    ['a', 'b'].map((name) =>
      child.api.count(
        3,
        proxy((i: number) => void heard.push(`${name}${i}`)),
      ),
    ),
  )
  expect(heard.sort()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2'])
})

it('what callbacks throw reaches who called them', async () => {
  const work = child.api.count(
    1,
    proxy(() => {
      throw new RangeError('not today')
    }),
  )
  await expect(work).rejects.toThrow('not today')
})

it('callbacks go both ways, also through each other', async () => {
  const add = await child.api.adder(5)
  expect(await add(37)).toBe(42)
  expect(await child.api.ask(proxy(async () => proxy(async (x: number) => x + 1)) as never)).toBe(21)
  add[releaseProxy]()
})

it('ports are closed on both sides when they are released', async () => {
  const own = startProcess(scripts.entry)
  const add = await own.api.adder(1)
  expect(await add(1)).toBe(2)
  expect(own.endpoint.open).toBe(1)
  expect(await own.api.ports()).toBe(1)
  add[releaseProxy]()
  await expect.poll(() => own.endpoint.open).toBe(0)
  await expect.poll(() => own.api.ports()).toBe(0)
  own.terminate()
  await own.end
})

it('buffers are copied, and stay', async () => {
  const data = Float32Array.from({ length: 100_000 }, (_, i) => i % 7)
  expect(await child.api.sum(data)).toBe(data.reduce((sum, v) => sum + v, 0))
  expect(data).toHaveLength(100_000)
})

it('the process has an environment of its own besides its parent’s', async () => {
  expect(await child.api.env('WEBDIT_TEST')).toBe('of its own')
  expect(await child.api.env('PATH')).toBe(process.env.PATH)
  expect(process.env.WEBDIT_TEST).toBeUndefined()
})

it('one that does not start says why', async () => {
  const { execPath } = process
  process.execPath = '/no/such/node'
  const own = startProcess(scripts.entry)
  process.execPath = execPath
  expect(await own.end).toBe("the rank's process did not start: spawn /no/such/node ENOENT")
  expect(own.pid).toBeUndefined()
  own.terminate()
})

it('calls that come after its end are no uncaught errors, and close what was open', async () => {
  const own = startProcess(scripts.entry)
  const add = await own.api.adder(1)
  expect(await add(1)).toBe(2)
  own.terminate()
  for (let i = 0; i < 5; i++) void own.api.ports()
  expect(await own.end).toBe("the rank's process was ended by SIGKILL")
  void own.api.ports()
  void add(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(own.endpoint.open).toBe(0)
})
