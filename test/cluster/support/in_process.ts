import type { CliIo } from '../../../src/cli/command.ts'
import { runCli } from '../../../src/cli/run.ts'
import { testDevice } from '../../support/device.ts'

/** A command that goes on until it is told to end. */
export interface Running {
  /** Its first line on stdout, or the code with which it ended before. */
  readonly began: Promise<string | number>
  readonly notes: readonly string[]
  readonly code: Promise<number>
  /** As Ctrl-C. */
  end(): Promise<number>
}

/** Starts a command line in this process, on the device of the tests. */
export function start(...argv: string[]): Running {
  const stop = new AbortController()
  const notes: string[] = []
  let print = (_: string) => {}
  const printed = new Promise<string>((resolve) => {
    print = resolve
  })
  const io: CliIo = {
    print: (line) => print(line),
    note: (line) => notes.push(line),
    status() {},
    terminal: false,
    signal: stop.signal,
    openDevice: async () => ({ device: await testDevice(), close() {} }),
  }
  const code = runCli(argv, io)
  return {
    began: Promise.race([printed, code]),
    notes,
    code,
    end() {
      stop.abort()
      return code
    },
  }
}

export const until = async (holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> => {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
