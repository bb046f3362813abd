import { parentPort, SHARE_ENV, Worker } from 'node:worker_threads'
import type { Endpoint } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { DitError } from '../runtime/errors.ts'
import { parentProcess, RANK_PROCESS } from './rank_process.node.ts'
import type { Thread } from './start_rank.ts'

/** The way from a worker thread or process to the one that started it. */
export function parentEndpoint(): Endpoint {
  if (!parentPort && process.env[RANK_PROCESS]) return parentProcess()
  if (!parentPort) throw new DitError('bad-argument', 'rank.js runs in a worker, not as a program')
  return nodeEndpoint(parentPort)
}

/** Starts a worker thread; by default of the rank.js beside the built module. */
export function startThread(url = new URL('./rank.ts', import.meta.url)): Thread {
  // A card is pinned by the environment that libraries see: the process's, not a thread's copy.
  const worker = new Worker(url, { env: SHARE_ENV })
  const failed = new Promise<never>((_, reject) => {
    worker.on('error', (cause: Error) => {
      reject(new DitError('device-lost', `the rank's worker failed: ${cause.message}`, undefined, { cause }))
    })
    worker.on('exit', (code) => reject(new DitError('device-lost', `the rank's worker ended with code ${code}`)))
  })
  return { endpoint: nodeEndpoint(worker), failed, terminate: () => void worker.terminate() }
}
