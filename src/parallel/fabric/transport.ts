import type { DType, Tensor } from '../../runtime/tensor.ts'
import type { Timeline } from '../trace/timeline.ts'

/** Bytes of a tensor that has a place on this rank's device; both numbers are multiples of 4. */
export interface Part {
  readonly tensor: Tensor
  readonly offset: number
  readonly bytes: number
}

export const whole = (tensor: Tensor): Part => ({ tensor, offset: 0, bytes: tensor.bytes })

/** What a tensor to come will look like. */
export interface TensorSpec {
  readonly shape: readonly number[]
  readonly dtype: DType
}

/**
 * Moves bytes between the devices of ranks. A message is a list of parts, joined; messages with one sender and one tag
 * arrive in the order in which they were sent. A message without parts is a signal.
 */
export interface Transport {
  readonly rank: number
  readonly size: number
  /**
   * Sends what the parts hold once all work submitted so far has run. Settles as soon as the parts may be written again
   * by work submitted from then on; the bytes may still be on their way.
   */
  send(to: number, tag: string, parts: readonly Part[]): Promise<void>
  /** Settles when work submitted from then on sees the message in the parts, which have as many bytes together. */
  recv(from: number, tag: string, parts: readonly Part[]): Promise<void>
  /** When this rank last knew that a peer lives: performance.now() of this thread, in ms. */
  lastHeard(rank: number): number
  /** Rejects with the first error of any rank, or of the transport. */
  readonly failed: Promise<never>
  /** Tells all ranks that this one failed, and why. */
  fail(error: unknown): void
  /** Told of every message, where it moves beside other work. */
  timeline?: Timeline | undefined
  /** Waits for what is on its way from here, and ends. */
  close(): Promise<void>
}
