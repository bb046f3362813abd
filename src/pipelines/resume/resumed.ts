import { configFlags } from '../../parallel/config/config_flags.ts'
import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { sizeOf } from '../../parallel/mesh/mesh.ts'
import { DitError } from '../../runtime/errors.ts'

/** Whether a call goes on where it was broken off, on another device or mesh, or fails. */
export type OnDeviceLoss = 'resume' | 'fail'

/** @throws DitError 'bad-argument' for another word */
export function checkOnDeviceLoss(given: unknown = 'resume'): OnDeviceLoss {
  if (given === 'resume' || given === 'fail') return given
  throw new DitError('bad-argument', `onDeviceLoss is ${JSON.stringify(given)}, expected resume or fail`)
}

/** That a call goes on. */
export interface Resumed {
  readonly cause: DitError
  /** Steps done, which are not done again. */
  readonly step: number
  /** The device that goes on; of ranks the first one's. */
  readonly device: string
  /** How ranks divide the rest. */
  readonly config?: ParallelConfig
}

/** For people, in a line. */
export function resumedLine({ cause, step, device, config }: Resumed): string {
  const on = config ? `${sizeOf(config.degrees)} ranks (${configFlags(config) || 'one device'})` : device
  return `${cause.message}; drawing goes on ${step === 0 ? 'from the beginning' : `after step ${step}`}, on ${on}`
}
