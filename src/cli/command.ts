import type { OptionSpec, ParsedArgs } from '../runtime/command_line/option.ts'
import type { Device, DeviceOptions } from '../runtime/device.ts'
import type { Backend } from '../runtime/platform/platform.ts'

/** What a command has of the world around it, so that tests can stand in for it. */
export interface CliIo {
  /** A line of the result, on stdout. */
  print(line: string): void
  /** A line about the run (the device, warnings, errors), on stderr. */
  note(line: string): void
  /** Replaces the last status on a terminal; elsewhere it says nothing. An empty one clears it. */
  status(text: string): void
  /** Whether stderr is a terminal: then `status` shows. */
  readonly terminal: boolean
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal
  /** Says that the command ends in its own time after that, however long it takes; a second Ctrl-C ends it at once. */
  endsByItself?(): void
  /** Opens the device and notes which it is, and notices such as the fallback to software. */
  openDevice(choice: DeviceChoice): Promise<OpenedDevice>
}

/** What DEVICE_OPTIONS ask for; what is left out is chosen. */
export interface DeviceChoice {
  /** Bytes that weights and activations may take; default: 75% of the free host memory if the device is software. */
  readonly memory?: number
  /** Part of the adapter's name. */
  readonly adapter?: string
  readonly backend?: Backend
  readonly tier?: DeviceOptions['tier']
}

export interface OpenedDevice {
  readonly device: Device
  /** Lets go of the device; a live one keeps Node running. */
  close(): void
}

export interface Command {
  readonly name: string
  /** For the list of commands, in a line. */
  readonly summary: string
  /** What stands behind the name in "usage: webdit NAME …". */
  readonly usage: string
  /** What one wants to know first, and examples: below the usage line. */
  readonly description: string
  readonly options: readonly OptionSpec[]
  /** Whether arguments without a flag are taken. */
  readonly positionals?: boolean
  /** Whether it computes: the process may be started again for a software Vulkan before `run`. */
  readonly needsDevice: boolean | ((args: ParsedArgs) => boolean)
  /**
   * Does it, and returns the exit code. A DitError that it throws is printed in a line or two, with exit code 1;
   * a UsageError with exit code 2.
   */
  run(args: ParsedArgs, io: CliIo): Promise<number>
}

export { type OptionSpec, type ParsedArgs, UsageError } from '../runtime/command_line/option.ts'
