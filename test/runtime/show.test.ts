import { expect, it } from 'vitest'
import { show } from '../../src/runtime/show.ts'

it.each<[unknown, string]>([
  ['a "b"', '"a \\"b\\""'],
  [Number.NaN, 'NaN'],
  [null, 'null'],
  [undefined, 'missing'],
  [[3, 4], '[3, 4]'],
  [{ a: [true, {}], b: '' }, '{"a": [true, {}], "b": ""}'],
  [JSON.parse('{"toString": 1, "__proto__": 2}'), '{"toString": 1, "__proto__": 2}'],
])('shows %j as JSON', (value, text) => {
  expect(show(value)).toBe(text)
})

it('cuts what is long, and looks no further', () => {
  expect(show('long '.repeat(1e6), 10)).toBe('"long long…')
  expect(show(Array(1e6).fill(1), 7)).toBe('[1, 1, …')
  const read: number[] = []
  const list = new Proxy(Array(1000).fill(7), {
    get: (target, key) => {
      if (/^\d+$/.test(String(key))) read.push(Number(key))
      return Reflect.get(target, key)
    },
  })
  show(list, 10)
  expect(read.length).toBeLessThan(10)
})

it('holds what is nested deeper than the stack', () => {
  const deep = JSON.parse(`${'['.repeat(1e6)}${']'.repeat(1e6)}`)
  expect(show(deep, 5)).toBe('[[[[[…')
})
