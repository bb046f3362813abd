import { describe, expect, it } from 'vitest'
import type { OptionSpec } from '../../src/cli/command.ts'
import { nearest, parseArgs } from '../../src/runtime/command_line/parse_args.ts'

const OPTIONS: OptionSpec[] = [
  { name: 'prompt', type: 'texts', help: '' },
  { name: 'num_inference_steps', type: 'integer', help: '' },
  { name: 'guidance_scale', type: 'number', help: '' },
  { name: 'model', type: 'text', value: 'FOLDER', help: '' },
  { name: 'memory', type: 'bytes', help: '' },
  { name: 'json', type: 'flag', help: '' },
  { name: 'profile', type: 'optional text', value: 'FILE', help: '' },
]
const parse = (...argv: string[]) => parseArgs(argv, OPTIONS, false)

describe('parseArgs', () => {
  it('takes dashes and underscores alike, and values after a space or =', () => {
    for (const argv of [['--num_inference_steps', '7'], ['--num-inference-steps=7'], ['--num-inference_steps', '7']]) {
      expect(parse(...argv).number('num_inference_steps')).toBe(7)
    }
  })

  it('takes several texts after one flag, and the flag again', () => {
    const args = parse('--prompt', 'a red apple', 'a star', '--json', '--prompt', 'x', '--model', 'm')
    expect(args.texts('prompt')).toEqual(['a red apple', 'a star', 'x'])
    expect([args.has('json'), args.text('model')]).toEqual([true, 'm'])
  })

  it('takes texts that are empty, have an = or begin with a dash', () => {
    expect(parse('--prompt', '', '-5 degrees', '1=1').texts('prompt')).toEqual(['', '-5 degrees', '1=1'])
    expect(parse('--prompt=--x').texts('prompt')).toEqual(['--x'])
  })

  it('takes a flag alone that may have a value', () => {
    for (const [argv, file] of [
      [['--profile', '--json'], undefined],
      [['--json', '--profile'], undefined],
      [['--profile', 'a.json', '--json'], 'a.json'],
      [['--profile=a.json', '--json'], 'a.json'],
    ] as const) {
      const args = parse(...argv)
      expect([args.has('profile'), args.text('profile'), args.has('json')]).toEqual([true, file, true])
    }
    expect(parse('--json').has('profile')).toBe(false)
  })

  it('lets the last of a flag with one value count', () => {
    expect(parse('--model', 'a', '--model', 'b').text('model')).toBe('b')
  })

  it('reads numbers, negative ones too', () => {
    expect(parse('--guidance_scale', '-1.5').number('guidance_scale')).toBe(-1.5)
  })

  it.each([
    ['8GiB', 8 * 2 ** 30],
    ['800MB', 800e6],
    ['1.5g', 1.5 * 2 ** 30],
    ['64 kib', 65536],
    ['123', 123],
  ])('reads %s as bytes', (text, bytes) => {
    expect(parse('--memory', text).number('memory')).toBe(bytes)
  })

  it.each([
    [['--num_steps_inference', '1'], 'there is no flag --num_steps_inference'],
    [['--num_inferense_steps', '1'], 'did you mean --num_inference_steps?'],
    [['--promt', 'x'], 'did you mean --prompt?'],
    [['--num_inference_steps', '1.5'], '--num_inference_steps is "1.5", expected a whole number'],
    [['--num_inference_steps', ''], 'expected a whole number'],
    [['--guidance_scale', 'high'], '--guidance_scale is "high", expected a number'],
    [['--guidance_scale', 'Infinity'], 'expected a number'],
    [['--memory', '8 apples'], '--memory is "8 apples", expected a size of memory'],
    [['--memory', '0'], 'expected a size of memory'],
    [['--model'], '--model needs a value: --model FOLDER'],
    [['--model', '--json'], '--model needs a value'],
    [['--json=yes'], '--json takes no value'],
    [['a', 'red', 'apple'], '"a" stands behind no flag'],
  ])('refuses %j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(expect.objectContaining({ name: 'UsageError' }))
    expect(() => parse(...argv)).toThrow(message)
  })
})

describe('nearest', () => {
  it('names a likely slip, and nothing where none is likely', () => {
    expect(nearest('genrate', ['generate', 'verify'])).toBe('generate')
    expect(nearest('xylophone', ['generate', 'verify'])).toBeUndefined()
  })
})
