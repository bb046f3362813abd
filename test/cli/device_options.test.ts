import { expect, it } from 'vitest'
import { DEVICE_OPTIONS, deviceChoice } from '../../src/cli/device_options.ts'
import { parseArgs } from '../../src/runtime/command_line/parse_args.ts'

const choiceOf = (...argv: string[]) => deviceChoice(parseArgs(argv, DEVICE_OPTIONS, false))

it('reads the flags of a device, and leaves out what is not given', () => {
  expect(choiceOf()).toEqual({})
  expect(choiceOf('--adapter', 'H100', '--backend', 'dawn', '--tier=f16', '--memory', '8GiB')).toEqual({
    adapter: 'H100',
    backend: 'dawn',
    tier: 'f16',
    memory: 8 * 2 ** 30,
  })
})

it.each([
  ['--backend', 'foo', '--backend is "foo", expected navigator or dawn'],
  ['--tier', 'f8', '--tier is "f8", expected f32 or f16 or matrix'],
  ['--tier', 'F16', '--tier is "F16", expected f32 or f16 or matrix'],
  ['--backend', 'navigator', '--backend is "navigator", and Node has dawn alone'],
])('refuses %s %s', (flag, value, message) => {
  expect(() => choiceOf(flag, value)).toThrow(expect.objectContaining({ name: 'UsageError', message }))
})
