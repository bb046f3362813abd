import { expect } from 'vitest'
import type { CliIo } from '../../src/cli/command.ts'
import { runCli } from '../../src/cli/run.ts'
import type { CliResult } from './run_in_process.ts'

/** `webdit plan` where no device can be opened. */
export async function planWithoutDevice(...argv: string[]): Promise<CliResult> {
  const [out, err]: string[][] = [[], []]
  const io: CliIo = {
    print: (text) => out.push(...text.split('\n')),
    note: (text) => err.push(...text.split('\n')),
    status() {},
    terminal: false,
    signal: new AbortController().signal,
    openDevice: () => expect.fail('a device was opened'),
  }
  const code = await runCli(['plan', ...argv], io, () => expect.fail('a driver was looked for'))
  return { code, out, err }
}
