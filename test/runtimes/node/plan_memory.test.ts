import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { MemoryPlan } from '../../../src/pipelines/memory_plan/plan.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

// Needs dist/: `npm test` builds it.
const CLI = path('../../../dist/cli.js')
const PICTURE = ['--model', path('../../../models/emoji-pixart'), '--prompt', 'red apple', '--num_inference_steps', '2']

/** Runs the program: what it prints, and the most memory that it ever had resident, in bytes. */
async function measured(...argv: string[]): Promise<{ out: string; resident: number }> {
  const child = spawn(process.execPath, [CLI, ...argv], { stdio: ['ignore', 'pipe', 'ignore'] })
  let [out, resident] = ['', 0]
  child.stdout.on('data', (chunk) => (out += chunk))
  const poll = setInterval(() => {
    try {
      const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
      resident = Number(kibibytes ?? 0) * 1024 || resident
    } catch {
      // It has just ended.
    }
  }, 20)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(poll)
  expect(code).toBe(0)
  return { out, resident }
}

// On a GPU the host's part depends on the driver, and its memory is nobody's RSS.
it.runIf(process.platform === 'linux')(
  'a process takes no more memory than planned where the CPU computes',
  async (context) => {
    const plan: MemoryPlan = JSON.parse((await measured('plan', ...PICTURE, '--this_device', '--json')).out)
    if (!plan.software) context.skip()
    const folder = mkdtempSync(join(tmpdir(), 'webdit-memory-'))
    try {
      const { resident } = await measured('generate', ...PICTURE, '--output_directory', folder)
      const planned = plan.host.total + plan.device
      expect(resident).toBeLessThanOrEqual(planned)
      // And the plan is near: of use to whoever has little.
      expect(resident).toBeGreaterThan(planned / 2)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  300_000,
)
