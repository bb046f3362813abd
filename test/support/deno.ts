import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const DENO = fileURLToPath(new URL('../../node_modules/.bin/deno', import.meta.url))

const LAVAPIPE_DRIVER = [
  '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
  '/usr/share/vulkan/icd.d/lvp_icd.aarch64.json',
  '/usr/share/vulkan/icd.d/lvp_icd.json',
].find(existsSync)

/** For `it.skipIf`: SwiftShader has no f16, lavapipe has it. Without a driver of one's own it is `apt-get install mesa-vulkan-drivers`. */
export const WITHOUT_LAVAPIPE = LAVAPIPE_DRIVER === undefined

const onlyDriver = (manifest: string) => ({ VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest })

/** Machines that have lavapipe for their only driver, and none. */
export const LAVAPIPE = onlyDriver(LAVAPIPE_DRIVER ?? '/dev/null')
export const NO_DRIVER = onlyDriver('/dev/null')

export interface Ended {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

/** What a program of Deno's says until it ends. */
export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk) => (stdout += chunk))
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** Starts a command on a machine with these drivers: not with what vitest.config.ts chose for the tests' own process. */
export const startOn = (machine: Record<string, string>, command: readonly string[], cwd?: string): ChildProcess =>
  spawn(command[0], command.slice(1), {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1', ...machine },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** `deno run -A` of a module of this repository. */
export const runDeno = (machine: Record<string, string>, module: URL, args: readonly string[] = [], cwd?: string) =>
  ended(startOn(machine, [DENO, 'run', '-A', fileURLToPath(module), ...args], cwd))
