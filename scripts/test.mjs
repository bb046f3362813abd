// npm test -- [vitest's arguments]
// Builds dist/ where it is stale (worker tests run on it), runs vitest, and ends with a plain line of counts.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build_if_stale.mjs'

await buildIfStale()

const folder = mkdtempSync(join(tmpdir(), 'webdit-test-'))
const report = join(folder, 'report.json')
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
// vitest.config.ts chooses the Vulkan device and says which.
const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))

child.on('exit', (code, signal) => {
  // A suite that fails to load has no tests to count, yet vitest's exit code is 1: it counts as one failure.
  let { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = read(report)
  if (code !== 0 && failed === 0) failed = 1
  rmSync(folder, { recursive: true, force: true })
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = signal ? 1 : code
})

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 }
  }
}
