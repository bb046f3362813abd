import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { DitError } from '../runtime/errors.ts'
import { ipcEndpoint, type Tunnel } from './ipc_tunnel.node.ts'
import type { Thread } from './start_rank.ts'

/** Set in the environment of a process that is a rank. */
export const RANK_PROCESS = 'WEBDIT_RANK_PROCESS'

/** A process that runs rank.ts. */
export interface RankProcess extends Thread {
  readonly endpoint: Tunnel
  /** None where it did not start. */
  readonly pid: number | undefined
}

/**
 * Starts a process for a rank; by default of the rank.js beside the built module. One that dies takes nothing else with it,
 * whereas Dawn ends the whole process where a thread dies.
 *
 * @param env variables besides this process's: a driver reads some of them only when a process starts
 */
export function startRankProcess(
  url = new URL('./rank.ts', import.meta.url),
  env: Readonly<Record<string, string>> = {},
): RankProcess {
  const child = fork(fileURLToPath(url), [], {
    serialization: 'advanced', // typed arrays as they are
    execArgv: [], // a debugger's port, say, is not for two
    env: { ...process.env, ...env, [RANK_PROCESS]: '1' },
    stdio: ['ignore', 2, 2, 'ipc'], // its words are no results
  })
  const endpoint = ipcEndpoint(child, 1)
  const failed = new Promise<never>((_, reject) => {
    child.on('error', (cause) => {
      if (child.pid !== undefined) return // it could not be told something: 'exit' follows and says why
      reject(new DitError('device-lost', `the rank's process did not start: ${cause.message}`, undefined, { cause }))
    })
    child.on('exit', (code, signal) => {
      endpoint.close()
      const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
      reject(new DitError('device-lost', `the rank's process ${how}`, 'run again'))
    })
  })
  failed.catch(() => {}) // heard by those who wait for something
  return {
    endpoint,
    failed,
    pid: child.pid,
    terminate() {
      child.kill('SIGKILL') // no rank would do anything else at SIGTERM
    },
  }
}

/** How often to look whether the parent lives, in ms. */
const LOOK = 500

/** In a thread of its own, because the rank's may be stuck in a driver. */
const WATCH = `
const { workerData } = require('node:worker_threads')
setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL')
}, ${LOOK})`

/** In the process of a rank: the way to the one that started it, with which it ends. */
export function parentProcess(): Tunnel {
  // Ctrl-C reaches all processes of a terminal: the first one ends the others when it is done.
  process.on('SIGINT', () => {})
  // At once: at an orderly end Dawn would wait for what the device does.
  const end = () => process.kill(process.pid, 'SIGKILL')
  process.on('disconnect', end)
  if (!process.connected) end()
  new Worker(WATCH, { eval: true, workerData: process.ppid, resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref()
  return ipcEndpoint(process, 2)
}
