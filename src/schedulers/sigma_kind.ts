import type { ConfigReader } from '../runtime/config_reader.ts'
import { DitError } from '../runtime/errors.ts'

const FLAGS = {
  karras: 'use_karras_sigmas',
  exponential: 'use_exponential_sigmas',
  beta: 'use_beta_sigmas',
  lu: 'use_lu_lambdas',
  flow: 'use_flow_sigmas',
} as const

/** How the noise levels of a schedule are spaced; 'timesteps': as the timesteps are. */
export type SigmaKind = 'timesteps' | keyof typeof FLAGS

/** Which one of these flags a config turns on. @throws DitError bad-argument where there are several */
export function readSigmaKind<K extends keyof typeof FLAGS>(read: ConfigReader, kinds: readonly K[]): K | 'timesteps' {
  const on = kinds.filter((kind) => read.boolean(FLAGS[kind], false))
  if (on.length <= 1) return on[0] ?? 'timesteps'
  const flags = on.map((kind) => FLAGS[kind]).join(' and ')
  throw new DitError('bad-argument', `${flags} are on, and only one of them can be`, 'Set the others to false.')
}
