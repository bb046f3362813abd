import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DitError } from '../runtime/errors.ts'
import { ipcEndpoint } from './ipc_tunnel.node.ts'
import type { Thread } from './start_rank.ts'

/** Set in the environment of a process that is a rank. */
export const RANK_PROCESS = 'WEBDIT_RANK_PROCESS'

/**
 * Starts a process for a rank; by default of the rank.js beside the built module. One that dies takes nothing else with it,
 * whereas Dawn ends the whole process where a thread dies.
 *
 * @param env variables besides this process's
 */
export function startRankProcess(
  url = new URL('./rank.ts', import.meta.url),
  env: Readonly<Record<string, string>> = {},
): Thread {
  const child = fork(fileURLToPath(url), [], {
    serialization: 'advanced',
    execArgv: [],
    env: { ...process.env, ...env, [RANK_PROCESS]: '1' },
    stdio: ['ignore', 2, 2, 'ipc'], // its words are no results
  })
  const endpoint = ipcEndpoint(child, 1)
  const failed = new Promise<never>((_, reject) => {
    child.on('error', (cause) => {
      // Of a process that ran, only its end counts: what could not be sent to it is an effect of that.
      if (child.pid !== undefined) return
      reject(new DitError('device-lost', `the rank's process did not start: ${cause.message}`, undefined, { cause }))
    })
    child.on('exit', (code, signal) => {
      endpoint.close()
      const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
      reject(new DitError('device-lost', `the rank's process ${how}`, 'run again'))
    })
  })
  return {
    endpoint,
    failed,
    pid: child.pid,
    terminate() {
      child.kill('SIGKILL')
    },
  }
}

/** In the process of a rank: the way to the one that started it, with which it ends. */
export function parentProcess(): ReturnType<typeof ipcEndpoint> {
  // Ctrl-C reaches all processes of a terminal: the first one ends the others when it is done.
  process.on('SIGINT', () => {})
  // At once: at an orderly end Dawn would wait for what the device does.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  return ipcEndpoint(process, 2)
}
