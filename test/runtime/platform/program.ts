// A program such as webdit's command line: tests start it in processes of its own, bundled in Node, as it is in Deno.
import type { DitError } from '../../../src/runtime/errors.ts'
import { openPlatform, requestAdapter } from '../../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../../src/runtime/platform/software_vulkan.node.ts'

const { kind, why } = await ensureVulkan()
// Before anything is printed: the first line tells the test to send the signal.
const [action, value] = process.argv.slice(2)
if (action === 'wait') process.once('SIGTERM', () => process.exit(5))

const platform = await openPlatform()
const report = { kind, why, args: process.argv.slice(2), execArgv: process.execArgv, place: globalThis.location?.href }
try {
  const { architecture } = (await requestAdapter(platform)).info
  console.log(JSON.stringify({ ...report, architecture }))
} catch (error) {
  const { kind: errorKind, hint } = error as DitError
  console.log(JSON.stringify({ ...report, errorKind, hint }))
}

if (action === 'exit') process.exit(Number(value))
if (action === 'die') process.kill(process.pid, value)
if (action === 'wait') setTimeout(() => process.exit(6), 20_000)
platform.close()
