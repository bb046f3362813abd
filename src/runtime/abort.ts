import { DitError } from './errors.ts'

/** @throws DitError 'aborted' once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DitError('aborted', 'the run was cancelled', undefined, { cause: signal.reason })
}
