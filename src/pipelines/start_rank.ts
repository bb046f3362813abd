import { type Endpoint, proxy, wrap } from 'comlink'
import { DitError } from '../runtime/errors.ts'
import { currentRuntime } from '../runtime/platform/platform.ts'
import type { FromPretrainedOptions } from './diffusion_pipeline.ts'
import type { PixArtOptions } from './pixart.ts'
import type { Outcome, RankApi, RankOutput, RankStep } from './rank.ts'

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

/** The built worker beside the built module, wherever the bundler put this code. */
const builtWorker = (): URL =>
  new URL(import.meta.url.includes('/chunks/') ? '../rank.js' : './rank.js', import.meta.url)

/**
 * Starts a worker, and loads a model there.
 *
 * @throws DitError as DiffusionPipeline.fromPretrained does
 */
export async function startRank(
  model: string,
  options: Pick<FromPretrainedOptions, 'memory' | 'variant'> & { worker?: URL } = {},
): Promise<Rank> {
  const { worker = builtWorker(), ...loading } = options
  const thread = await startThread(worker)
  const api = wrap(thread.endpoint) as unknown as RankApi
  /** The worker's answer, or the reason why there will be none. */
  const answer = async <T>(pending: Promise<Outcome<T>>): Promise<T> => {
    const outcome = await Promise.race([pending, thread.failed])
    if ('value' in outcome) return outcome.value
    throw new DitError(outcome.failure.kind, outcome.failure.message, outcome.failure.hint)
  }
  thread.failed.catch(() => {})
  try {
    const deviceName = await answer(api.load(model, loading))
    return {
      deviceName,
      run: async (prompt, { onStep, signal, ...plain } = {}) => {
        if (signal?.aborted) throw new DitError('aborted', 'the run was cancelled')
        const abort = () => void api.abort()
        signal?.addEventListener('abort', abort)
        try {
          return await answer(api.run(prompt, plain, onStep && proxy(onStep)) as Promise<Outcome<RankOutput>>)
        } finally {
          signal?.removeEventListener('abort', abort)
        }
      },
      close: async () => {
        await Promise.race([api.close(), thread.failed]).catch(() => {})
        thread.terminate()
      },
    }
  } catch (error) {
    thread.terminate()
    throw error
  }
}

async function startThread(url: URL): Promise<{ endpoint: Endpoint; failed: Promise<never>; terminate(): void }> {
  if (currentRuntime() === 'node') return (await import('./rank_endpoint.node.ts')).startThread(url)
  const worker = new Worker(url, { type: 'module' })
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', ({ message }) =>
      reject(new DitError('device-lost', `the rank's worker failed: ${message}`)),
    )
  })
  return { endpoint: worker, failed, terminate: () => worker.terminate() }
}
