import { type Endpoint, proxy, wrap } from 'comlink'
import { DitError } from '../runtime/errors.ts'
import { currentRuntime } from '../runtime/platform/platform.ts'
import type { FromPretrainedOptions } from './diffusion_pipeline.ts'
import { webAddress } from './open_model.ts'
import { type Outcome, typedFailure } from './outcome.ts'
import type { PixArtOptions } from './pixart.ts'
import type { PlainLoading, RankApi, RankOutput, RankStep } from './rank.ts'

/** A pipeline in a worker of its own: the calling thread stays free while it draws. */
export interface Rank {
  /** The name of the device that the worker opened. */
  readonly deviceName: string
  run(
    prompt: string | string[],
    options?: Omit<PixArtOptions, 'onStep'> & { onStep?: (step: RankStep) => void },
  ): Promise<RankOutput>
  /** Frees the device and ends the worker. */
  close(): Promise<void>
}

export interface RankOptions extends PlainLoading, Pick<FromPretrainedOptions, 'onProgress' | 'signal'> {
  /** The worker's script, where it is not found beside this module. */
  worker?: URL
}

/** A thread that runs rank.ts. */
export interface Thread {
  readonly endpoint: Endpoint
  /** Rejects if the thread fails or ends by itself. */
  readonly failed: Promise<never>
  terminate(): void
}

/**
 * Starts a worker, and loads a model there.
 *
 * @param model a diffusers folder: its path (Node, Deno) or http(s) address (in a page also relative to it)
 * @throws DitError as DiffusionPipeline.fromPretrained does; 'device-lost' where the worker does not start
 */
export async function startRank(model: string, options: RankOptions = {}): Promise<Rank> {
  const { worker, onProgress, signal, ...loading } = options
  const thread = await startThread(worker)
  thread.failed.catch(() => {})
  const api = wrap(thread.endpoint) as unknown as RankApi
  let calls = 0

  /** The worker's answer to a call, or the reason why there will be none. */
  async function answer<T>(stop: AbortSignal | undefined, start: (call: number) => Promise<Outcome<T>>): Promise<T> {
    if (stop?.aborted) throw new DitError('aborted', 'the run was cancelled', undefined, { cause: stop.reason })
    const call = ++calls
    const abort = () => void api.abort(call)
    stop?.addEventListener('abort', abort)
    try {
      const outcome = await Promise.race([start(call), thread.failed])
      if ('value' in outcome) return outcome.value
      throw typedFailure(outcome.failure)
    } finally {
      stop?.removeEventListener('abort', abort)
    }
  }

  /** The worker ends when its device's work has, or is at its end already. */
  async function close(): Promise<void> {
    await Promise.race([api.close(), thread.failed]).catch(() => {})
    thread.terminate()
  }

  try {
    // A relative address is meant from the page, not from the worker's script.
    const address = webAddress(model) ?? model
    const deviceName = await answer(signal, (call) => api.load(call, address, loading, onProgress && proxy(onProgress)))
    return {
      deviceName,
      run: (prompt, { onStep, signal: stop, ...plain } = {}) =>
        answer(stop, (call) => api.run(call, prompt, plain, onStep && proxy(onStep)) as Promise<Outcome<RankOutput>>),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function startThread(url: URL | undefined): Promise<Thread> {
  if (currentRuntime() === 'node') return (await import('./rank_endpoint.node.ts')).startThread(url)
  // Bundlers find a worker's script by this very expression.
  const worker = url
    ? new Worker(url, { type: 'module' })
    : new Worker(new URL('./rank.ts', import.meta.url), { type: 'module' })
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => {
      event.preventDefault?.() // reported here
      const reason = event.message || `its script did not load${url ? ` from ${url}` : ''}`
      reject(new DitError('device-lost', `the rank's worker failed: ${reason}`))
    })
  })
  return { endpoint: worker, failed, terminate: () => worker.terminate() }
}
