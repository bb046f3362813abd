import { DitError } from '../../runtime/errors.ts'
import { AXES, type Degrees, sizeOf } from '../mesh/mesh.ts'
import type { ParallelConfig } from './parallel_config.ts'

/** The flag that sets an axis' degree. */
export const FLAG_OF = {
  tensor: 'tensor_parallel_degree',
  ulysses: 'ulysses_degree',
  ring: 'ring_degree',
  pipefusion: 'pipefusion_parallel_degree',
  cfg: 'use_cfg_parallel',
  data: 'data_parallel_degree',
} as const satisfies Record<keyof Degrees, string>

const refuse = (message: string, hint?: string): never => {
  throw new DitError('bad-argument', message, hint)
}

/** The degrees as people set them: 'ulysses_degree 2 x ring_degree 2'. */
export const degreesSaid = (degrees: Degrees): string =>
  AXES.filter((axis) => degrees[axis] > 1)
    .map((axis) => `${FLAG_OF[axis]} ${degrees[axis]}`)
    .join(' x ') || 'all degrees 1'

/**
 * What can be said of a configuration without a model.
 *
 * @param devices ranks that were asked for; by default as many as the degrees make
 * @throws DitError 'bad-argument'
 */
export function checkParallelConfig(config: ParallelConfig, devices?: number): void {
  const { degrees, numPipelinePatch, warmupSteps, attnLayerNumForPp, vaeParallelSize, deviceWeights } = config
  for (const axis of AXES) whole(FLAG_OF[axis], degrees[axis], 1)
  if (degrees.cfg > 2) refuse(`the cfg degree is ${degrees.cfg}: guidance has two branches`, 'Use 1 or 2.')
  const size = sizeOf(degrees)
  if (devices !== undefined && devices !== size) {
    refuse(
      `${degreesSaid(degrees)} make ${size} ranks, and devices is ${devices}`,
      `Let the degrees multiply to ${devices}, or leave --devices out.`,
    )
  }
  whole('num_pipeline_patch', numPipelinePatch, 1)
  whole('warmup_steps', warmupSteps, 0)
  whole('vae_parallel_size', vaeParallelSize, 1)
  const crew = size / degrees.data
  if (vaeParallelSize > crew) {
    refuse(`vae_parallel_size is ${vaeParallelSize}, and ${crew} ranks draw a picture`, `Use at most ${crew}.`)
  }
  if (attnLayerNumForPp) {
    for (const blocks of attnLayerNumForPp) whole('attn_layer_num_for_pp', blocks, 1)
    if (attnLayerNumForPp.length !== degrees.pipefusion) {
      refuse(
        `attn_layer_num_for_pp has ${attnLayerNumForPp.length} numbers for ${degrees.pipefusion} stages`,
        'Give one for each stage of pipefusion_parallel_degree.',
      )
    }
  }
  if (config.shardDit && degrees.ulysses * degrees.ring * degrees.cfg === 1) {
    refuse(
      `shard_dit: with ${degreesSaid(degrees)} no two ranks of a picture have the same weights to share`,
      'Use it with --ulysses_degree, --ring_degree or --use_cfg_parallel, or leave it out.',
    )
  }
  if (config.shardT5Encoder && crew === 1) {
    refuse(
      `shard_t5_encoder: with ${degreesSaid(degrees)} one rank draws a picture, and has nobody to share weights with`,
      'Use it with a degree other than data_parallel_degree, or leave it out.',
    )
  }
  if (config.distrifusion && (degrees.pipefusion > 1 || numPipelinePatch > 1)) {
    refuse(
      'DistriFusion and PipeFusion exclude each other',
      'Leave out --use_distrifusion, or the flags of PipeFusion.',
    )
  }
  if (Array.isArray(deviceWeights)) {
    if (deviceWeights.length !== size) {
      refuse(`device_weights has ${deviceWeights.length} numbers for ${size} ranks`, 'Give one for each rank.')
    }
    for (const weight of deviceWeights) {
      if (!(weight > 0 && Number.isFinite(weight))) refuse(`device_weights holds ${weight}, expected numbers above 0`)
    }
  }
}

/** What of a model and of a request decides whether they can be divided so. */
export interface DividedFacts {
  readonly blocks: number
  readonly heads: number
  /** Rows and columns of the picture's tokens. */
  readonly rows: number
  readonly columns: number
  /** Whether the model is guided by two branches; FLUX.1 is not, its guidance being distilled. */
  readonly guided: boolean
  readonly guidanceScale: number
  readonly tiling: boolean
}

/** The rest. @throws DitError 'bad-argument' */
export function checkAgainstModel(config: ParallelConfig, facts: DividedFacts): void {
  const { degrees, attnLayerNumForPp, numPipelinePatch, distrifusion } = config
  const { blocks, heads, rows, columns, guided, guidanceScale, tiling } = facts
  if (degrees.pipefusion > blocks) {
    refuse(
      `pipefusion_parallel_degree is ${degrees.pipefusion}, and the transformer has ${blocks} blocks`,
      `Use at most ${blocks}.`,
    )
  }
  const sum = attnLayerNumForPp?.reduce((a, b) => a + b, 0)
  if (sum !== undefined && sum !== blocks) {
    refuse(
      `attn_layer_num_for_pp adds up to ${sum}, and the transformer has ${blocks} blocks`,
      `Give numbers that add up to ${blocks}.`,
    )
  }
  const exchanging = distrifusion ? 1 : degrees.ulysses
  if (degrees.tensor * exchanging > heads) {
    refuse(
      `tensor_parallel_degree ${degrees.tensor} x ulysses_degree ${degrees.ulysses} need as many attention heads, and the model has ${heads}`,
      'Use lower degrees, or --ring_degree, which divides no heads.',
    )
  }
  const patches = Math.min(numPipelinePatch, rows)
  const height = Math.ceil(rows / patches)
  // The last patch may have fewer rows.
  const least = (rows - height * (Math.ceil(rows / height) - 1)) * columns
  const sharing = degrees.ulysses * degrees.ring
  if (sharing > least) {
    refuse(
      `ulysses_degree x ring_degree is ${sharing}, and the least patch of the picture has ${least} tokens`,
      'Use lower degrees, fewer patches, or a larger picture.',
    )
  }
  if (degrees.cfg > 1 && !guided) {
    refuse(
      'use_cfg_parallel: the guidance of this model is distilled, it has one branch',
      'Leave it out, or give --true_cfg_scale above 1 and a --negative_prompt.',
    )
  }
  if (degrees.cfg > 1 && !(guidanceScale > 1)) {
    refuse(
      `use_cfg_parallel: guidance_scale is ${guidanceScale}, and up to 1 there is no second branch`,
      'Leave it out, or use a guidance_scale above 1.',
    )
  }
  if (tiling && config.vaeParallelSize > 1) {
    refuse('enable_tiling and a parallel autoencoder exclude each other', 'Leave one of them out.')
  }
}

function whole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return
  refuse(`${name} is ${value}, expected a whole number from ${least} on`)
}
