import type { CliIo } from './command.ts'
import { openDevice } from './device.ts'

/** The process's own stdout, stderr and device. */
export function terminalIo(signal: AbortSignal): CliIo {
  const { stdout, stderr } = process
  const terminal = Boolean(stderr.isTTY)
  let shown = false
  const status = (text: string) => {
    if (!terminal || (text === '' && !shown)) return
    // A line that wraps could not be redrawn. \x1b[K clears to the end of the line.
    stderr.write(`\r${text.slice(0, (stderr.columns || 80) - 1)}\x1b[K`)
    shown = text !== ''
  }
  const io: CliIo = {
    print(line) {
      status('')
      stdout.write(`${line}\n`)
    },
    note(line) {
      status('')
      stderr.write(`${line}\n`)
    },
    status,
    terminal,
    signal,
    openDevice: (choice) => openDevice(choice, io),
  }
  return io
}
