import type { CliIo, OpenedDevice } from '../../src/cli/command.ts'
import { verifyCommand } from '../../src/cli/verify/index.ts'
import { parseArgs } from '../../src/runtime/command_line/parse_args.ts'
import { testDevice } from '../support/device.ts'

/** Runs `webdit verify …` in this process on the test device: its exit code and what it printed. */
export async function verifyOn(...args: string[]): Promise<{ code: number; lines: string[]; deviceOpened: boolean }> {
  const lines: string[] = []
  let deviceOpened = false
  const io: CliIo = {
    print: (text) => lines.push(...text.split('\n')),
    note: () => {},
    status: () => {},
    terminal: false,
    signal: new AbortController().signal,
    openDevice: async () => {
      deviceOpened = true
      return { device: await testDevice(), close: () => {} } as unknown as OpenedDevice
    },
  }
  const code = await verifyCommand.run(parseArgs(args, verifyCommand.options, true), io)
  return { code, lines, deviceOpened }
}
