import { type Endpoint, proxy, transfer, wrap } from 'comlink'
import type { Span } from '../parallel/trace/timeline.ts'
import { DitError } from '../runtime/errors.ts'
import { currentRuntime } from '../runtime/platform/platform.ts'
import type { FromPretrainedOptions } from './diffusion_pipeline.ts'
import { webAddress } from './open_model.ts'
import type { PipelineOptions } from './options.ts'
import { type Outcome, plainFailure, typedFailure } from './outcome.ts'
import type { PlainCall, PlainLoading, RankApi, RankOutput, RankStep } from './rank.ts'
import type { Place } from './team/place.ts'

/** A pipeline in a worker of its own: the calling thread stays free while it draws. */
export interface Rank {
  /** The name of the device that the worker opened. */
  readonly deviceName: string
  run(
    prompt: string | string[],
    options?: PlainCall & Pick<PipelineOptions, 'signal'> & { onStep?: (step: RankStep) => void },
  ): Promise<RankOutput>
  /** Ends what it waits for from other ranks, since one of them failed. */
  interrupt(error: DitError): void
  /** Frees what it has loaded, and loads its part for another place among others, on the device that is open. */
  takePlace(place: Place): Promise<void>
  /** Meets the other ranks anew, after a failure. */
  meetAgain(place: Place): Promise<void>
  /** Bytes sent to other ranks so far, by tag. */
  sent(): Promise<Map<string, number>>
  /** What this rank did so far, where its place says to note that. */
  spans(): Promise<Span[]>
  /** Rejects if the worker fails or ends by itself. */
  readonly failed: Promise<never>
  /** The number of its process, where it has one of its own. */
  readonly pid: number | undefined
  /** Frees the device and ends the worker. */
  close(): Promise<void>
  /** Ends the worker at once, whatever it does. */
  terminate(): void
}

export interface RankOptions extends PlainLoading, Pick<FromPretrainedOptions, 'onProgress' | 'signal'> {
  /** The worker's script, where it is not found beside this module. */
  worker?: URL
  /** In Node: a process of its own instead of a thread, with these environment variables besides this process's. */
  process?: { readonly env?: Readonly<Record<string, string>> }
}

/**
 * Time for a worker of Deno to take down its driver, in ms. Nothing tells when it has, and a process that ends meanwhile
 * can crash in the driver's exit handlers: 10 of 30 did on lavapipe.
 */
const LAST_BREATH = 100

/** A thread that runs rank.ts. */
export interface Thread {
  readonly endpoint: Endpoint
  /** Rejects if the thread fails or ends by itself. */
  readonly failed: Promise<never>
  /** Of a process. */
  readonly pid?: number
  terminate(): void
}

/**
 * Starts a worker, and loads a model there.
 *
 * @param model a diffusers folder: its path (Node, Deno) or http(s) address (in a page also relative to it)
 * @throws DitError as DiffusionPipeline.fromPretrained does; 'device-lost' where the worker does not start
 */
export async function startRank(model: string, options: RankOptions = {}): Promise<Rank> {
  const { worker, process, onProgress, signal, transformer, textEncoders, loras, ...given } = options
  // Relative addresses are meant from the page, not from the worker's script.
  const placeOf = (file: string) => webAddress(file) ?? file
  const encoders = Object.entries(textEncoders ?? {}).map(([folder, file]) => [folder, placeOf(file)])
  const lorasThere = (given: PlainCall['loras']) =>
    given?.map((lora) => (typeof lora === 'string' ? placeOf(lora) : { ...lora, file: placeOf(lora.file) }))
  const loading = {
    ...given,
    loras: lorasThere(loras),
    transformer: transformer && placeOf(transformer),
    textEncoders: Object.fromEntries(encoders),
  }
  const thread = await startThread(worker, process)
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
    if (currentRuntime() === 'deno') await new Promise((resolve) => setTimeout(resolve, LAST_BREATH))
  }

  try {
    const address = webAddress(model) ?? model
    const load = (stop: AbortSignal | undefined, place: Place | undefined) =>
      answer(stop, (call) =>
        api.load(call, address, handedOver({ ...loading, place }, place), onProgress && proxy(onProgress)),
      )
    const deviceName = await load(signal, loading.place)
    return {
      deviceName,
      run: (prompt, { onStep, signal: stop, ...given } = {}) => {
        const plain = { ...given, loras: lorasThere(given.loras) }
        return answer(
          stop,
          (call) => api.run(call, prompt, plain, onStep && proxy(onStep)) as Promise<Outcome<RankOutput>>,
        )
      },
      interrupt: (error) => void api.interrupt(plainFailure(error)),
      takePlace: async (place) => void (await load(undefined, place)),
      meetAgain: (place) => answer(undefined, (call) => api.meetAgain(call, handedOver(place, place))),
      sent: async () => new Map(await Promise.race([api.sent(), thread.failed])),
      spans: async () => (await Promise.race([api.spans(), thread.failed])) as Span[],
      failed: thread.failed,
      pid: thread.pid,
      close,
      terminate: () => thread.terminate(),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Ports go to the rank's thread with the message that has them. */
export function handedOver<T extends object>(message: T, place: Place | undefined): T {
  if (place?.links.by !== 'ports') return message
  return transfer(
    message,
    place.links.links.filter((port) => port !== undefined),
  )
}

/** A thread or process that answers to RankApi. */
export async function startThread(url?: URL, process?: RankOptions['process']): Promise<Thread> {
  if (currentRuntime() === 'node') {
    if (process) return (await import('./rank_process.node.ts')).startRankProcess(url, process.env)
    return (await import('./rank_endpoint.node.ts')).startThread(url)
  }
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
