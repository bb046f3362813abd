import type { VulkanChoice } from '../runtime/platform/software_vulkan.node.ts'
import type { CliIo } from './command.ts'
import { openDevice } from './device.ts'

export interface TerminalIo extends CliIo {
  /** What the process runs on, once that is chosen. */
  vulkan?: VulkanChoice
  /** Whether the command ends in its own time when it is told to. */
  patient: boolean
}

/** The process's own stdout, stderr and device. */
export function terminalIo(signal: AbortSignal): TerminalIo {
  const { stdout, stderr } = process
  const terminal = Boolean(stderr.isTTY)
  let shown = false
  const status = (text: string) => {
    if (!terminal || (text === '' && !shown)) return
    // A line that wraps could not be redrawn. \x1b[K clears to the end of the line.
    stderr.write(`\r${text.slice(0, (stderr.columns || 80) - 1)}\x1b[K`)
    shown = text !== ''
  }
  const io: TerminalIo = {
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
    patient: false,
    endsByItself() {
      io.patient = true
    },
    openDevice: (choice) => openDevice(choice, io, io.vulkan),
  }
  return io
}
