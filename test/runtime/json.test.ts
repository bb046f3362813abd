import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { parseJson } from '../../src/runtime/json.ts'

function failure(text: string, uniqueKeys = false): DitError {
  try {
    parseJson(text, 'x/config.json', { uniqueKeys })
  } catch (error) {
    expect(error).toBeInstanceOf(DitError)
    return error as DitError
  }
  throw new Error(`accepted ${text}`)
}

describe('parseJson', () => {
  it('reads the scheduler config that diffusers wrote, with its -Infinity', async () => {
    const path = new URL('../../models/emoji-pixart/scheduler/scheduler_config.json', import.meta.url)
    const text = await readFile(path, 'utf8')
    expect(() => JSON.parse(text)).toThrow()
    const config = parseJson(text, 'scheduler_config.json') as Record<string, unknown>
    expect(config.lambda_min_clipped).toBe(-Infinity)
    const standard = JSON.parse(text.replace('-Infinity', '"?"'))
    expect({ ...config, lambda_min_clipped: '?' }).toEqual(standard)
  })

  it("reads Python's literals as values only", () => {
    expect(parseJson('[NaN, Infinity, -Infinity, 1]', 'f')).toEqual([Number.NaN, Infinity, -Infinity, 1])
    expect(parseJson('{"NaN": "-Infinity \\" NaN", "a": NaN}', 'f')).toEqual({ NaN: '-Infinity " NaN', a: Number.NaN })
  })

  it('agrees with JSON.parse where uniqueKeys takes its own path', () => {
    const texts = [
      '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\n\\"x"],"b":{"c":{},"d":[]}}',
      ' \t\n[ 0 , 1E5, -0.0 ]\r\n',
      '{"__proto__": {"x": 1}, "": 2, "7": 3}',
      '"plain"',
      '12',
    ]
    for (const text of texts) expect(parseJson(text, 'f', { uniqueKeys: true })).toEqual(JSON.parse(text))
    const proto = parseJson('{"__proto__": {"x": 1}}', 'f', { uniqueKeys: true }) as { x?: number }
    expect(proto.x).toBeUndefined()
  })

  it.each([
    ['{"a": 1,}', 'line 1, column 9: expected a key in double quotes, found "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: expected ',' or '}'"],
    ['[1, 2', "line 1, column 6: expected ',' or ']', found the end"],
    ['[01]', "expected ',' or ']'"],
    ['[+1]', 'expected a value'],
    ['[nan]', 'expected a value'],
    ['["a\nb"]', 'expected a string'],
    ['["a', 'expected a string'],
    ['["\\x"]', 'expected a string'],
    ['', 'expected a value, found the end'],
    ['1 2', 'expected the end'],
    [`${'['.repeat(300)}NaN${']'.repeat(300)}`, 'at most 256 levels'],
  ])('refuses %j', (text, message) => {
    const error = failure(text)
    expect(error.kind).toBe('corrupt')
    expect(error.message).toContain('x/config.json is not valid JSON')
    expect(error.message).toContain(message)
    expect(error.hint).toBeTruthy()
  })

  it('refuses a key given twice on request only', () => {
    expect(parseJson('{"a":1,"a":2}', 'f')).toEqual({ a: 2 })
    expect(failure('{"a":1,\n"a":2}', true).message).toContain('line 2, column 1: expected each key once')
    expect(parseJson('[{"a":1},{"a":2}]', 'f', { uniqueKeys: true })).toEqual([{ a: 1 }, { a: 2 }])
  })
})
