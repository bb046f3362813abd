import type { ParallelConfig } from '../config/parallel_config.ts'
import { sizeOf } from '../mesh/mesh.ts'
import { distrifusionBytes } from './distrifusion.ts'
import { noiseBytes } from './noise.ts'
import { type Part, partsOf } from './part.ts'
import { pipefusionBytes } from './pipefusion.ts'
import { ringBytes } from './ring.ts'
import { tensorBytes } from './tensor.ts'
import { textBytes } from './text.ts'
import { ulyssesBytes } from './ulysses.ts'
import { vaeBytes } from './vae.ts'
import { weightBytes } from './weights.ts'
import type { Bytes, Workload } from './workload.ts'

export type { Decoder } from './vae.ts'
export type { Block, NetworkWork } from './work.ts'
export type { EncodedText, PictureText, Workload } from './workload.ts'

/** Each gives all tags of one way to divide work, for one rank. */
const FORMULAS: readonly ((part: Part, workload: Workload) => Bytes)[] = [
  textBytes,
  ulyssesBytes,
  ringBytes,
  distrifusionBytes,
  tensorBytes,
  noiseBytes,
  pipefusionBytes,
  vaeBytes,
  weightBytes,
]

/**
 * What every rank of a mesh sends in one request, by the fabric's tag: in closed form, from numbers alone. Tags of which a
 * rank sends nothing are left out, as the fabric leaves them out.
 *
 * @param speeds relative ones of every rank. Default: the config's device weights, equal ones where it
 *   has none or leaves them to be measured
 * @throws DitError 'bad-argument' where there is less to do than ranks to do it
 */
export function bytesSent(
  config: ParallelConfig,
  workload: Workload,
  speeds?: readonly number[],
): Map<string, number>[] {
  return partsOf(config, workload, speeds ?? givenSpeeds(config)).map((part) => {
    const bytes = FORMULAS.flatMap((formula) => Object.entries(formula(part, workload)))
    return new Map(bytes.filter(([, sent]) => sent > 0))
  })
}

const givenSpeeds = ({ degrees, deviceWeights }: ParallelConfig): readonly number[] =>
  Array.isArray(deviceWeights) ? deviceWeights : Array<number>(sizeOf(degrees)).fill(1)
