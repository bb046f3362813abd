import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { DitError } from '../../errors.ts'
import { currentRuntime } from '../platform.ts'

/**
 * Runs `body` with these variables in the environment that native libraries read, and takes them back. `body` must be
 * synchronous: the environment is the whole process's. Threads that do this take turns.
 *
 * In a worker thread of Node `process.env` is a copy that no library sees, unless it was started with `env: SHARE_ENV`.
 *
 * @throws DitError 'unsupported' in such a thread, where the process has not been started with the variables
 */
export function withEnvironment<T>(env: Readonly<Record<string, string>>, body: () => T): T {
  return inTurn(() => {
    if (isNative(env)) return body()
    const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
    try {
      Object.assign(process.env, env)
      if (isNative(env)) return body()
      const names = Object.keys(env).join(' and ')
      throw new DitError(
        'unsupported',
        `this thread cannot set ${names} for Vulkan: its environment is a copy`,
        'start the rank as a process with that environment, or as a thread with env: SHARE_ENV',
      )
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })
}

function isNative(env: Readonly<Record<string, string>>): boolean {
  const native = nativeEnvironment()
  return Object.entries(env).every(([name, value]) => native[name] === value)
}

/** A diagnostic report has the process's own environment, and takes 6 to 12 ms. */
function nativeEnvironment(): NodeJS.ProcessEnv {
  if (currentRuntime() === 'deno' || isMainThread) return process.env
  const report = process.report as unknown as { getReport(): object; excludeNetwork?: boolean }
  const { excludeNetwork } = report
  report.excludeNetwork = true // would ask name servers
  try {
    return (report.getReport() as { environmentVariables: NodeJS.ProcessEnv }).environmentVariables
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}

const POLL = 2 // ms
/** After that the one whose turn it is has been ended in the middle. Opening Vulkan takes a second at most. */
const PATIENCE = 20_000 // ms
const never = new Int32Array(new SharedArrayBuffer(4))

/** One thread of this process at a time. Threads share no memory unless one gives it to another, but they share folders. */
function inTurn<T>(body: () => T): T {
  const turn = join(tmpdir(), `webdit-environment-${process.pid}-${startOfProcess()}`)
  const end = Date.now() + PATIENCE
  while (!isTaken(turn) && Date.now() < end) Atomics.wait(never, 0, 0, POLL)
  try {
    return body()
  } finally {
    try {
      rmdirSync(turn)
    } catch {
      // there is none, on a disk that takes no folders
    }
  }
}

/** Whether this thread has made the folder, or nobody can. */
function isTaken(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EEXIST'
  }
}

/** In clock ticks after the machine's start: numbers of processes come again. */
function startOfProcess(): string {
  try {
    // proc_pid_stat(5): the second field is the name, in parentheses; this is the 22nd.
    return readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19]
  } catch {
    return ''
  }
}
