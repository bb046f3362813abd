import { ensureVulkan } from '../runtime/platform/software_vulkan.node.ts'
import { runCli } from './run.ts'
import { terminalIo } from './terminal_io.ts'

/** By convention a program that a signal ended exits with 128 and the signal's number. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Time for an orderly end, ms: a step of a large model can take longer than anybody waits after Ctrl-C. */
const GRACE = 500

const abort = new AbortController()
const io = terminalIo(abort.signal)
let interrupted: number | undefined

/** Only now: until then a signal ends the process as usual, and where it is started again it only passes signals on. */
function listenForSignals(): void {
  for (const [name, code] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (interrupted !== undefined) process.exit(code)
      interrupted = code
      abort.abort()
      if (io.patient) return
      setTimeout(() => {
        io.note('webdit: cancelled')
        process.exit(code)
      }, GRACE)
    })
  }
}

// A reader that left (… | head) is no fault.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(0))

const code = await runCli(process.argv.slice(2), io, async ({ backend }) => {
  io.vulkan = await ensureVulkan(backend)
  listenForSignals()
})
// Not exitCode: a driver's threads could keep the process from ending.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
process.exit(io.patient ? code : (interrupted ?? code))
