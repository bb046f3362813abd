import type { CliIo } from '../../src/cli/command.ts'
import { runCli } from '../../src/cli/run.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { testDevice } from '../support/device.ts'

export interface CliResult {
  code: number
  /** Lines on stdout, and on stderr. */
  out: string[]
  err: string[]
}

/** Runs a command line in this process, on one device for all: its kernels are compiled once. */
export async function runInProcess(argv: readonly string[], signal = new AbortController().signal): Promise<CliResult> {
  const out: string[] = []
  const err: string[] = []
  const io: CliIo = {
    print: (text) => out.push(...text.split('\n')),
    note: (text) => err.push(...text.split('\n')),
    status() {},
    terminal: false,
    signal,
    async openDevice({ memory }) {
      if (memory === undefined) return { device: await testDevice(), close() {} }
      const device = await Device.open(await openPlatform(), { memory })
      return { device, close: () => device.close() }
    },
  }
  const code = await runCli(argv, io)
  return { code, out, err }
}
