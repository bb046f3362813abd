import { type ParsedArgs, UsageError } from '../../runtime/command_line/option.ts'
import { type Degrees, sizeOf } from '../mesh/mesh.ts'
import type { ParallelConfig } from './parallel_config.ts'

/** What a command line says of ranks. */
export interface ParallelArgs {
  /** What was said; its degrees are 1 where webdit is to choose them. */
  readonly config: ParallelConfig
  /** Ranks that were asked for: a number, or as many as there are cards; undefined where the degrees tell. */
  readonly devices: number | 'auto' | undefined
  /** Whether webdit is to choose the degrees for that many ranks. */
  readonly choose: boolean
  readonly workers: 'processes' | 'threads' | 'one device' | undefined
}

/** Reads PARALLEL_FLAGS. @throws UsageError for values that are not of their kind */
export function readParallelArgs(args: ParsedArgs): ParallelArgs {
  const degree = (name: string) => args.number(name) ?? 1
  const degrees: Degrees = {
    tensor: degree('tensor_parallel_degree'),
    ulysses: degree('ulysses_degree'),
    ring: degree('ring_degree'),
    pipefusion: degree('pipefusion_parallel_degree'),
    cfg: args.has('use_cfg_parallel') ? 2 : 1,
    data: degree('data_parallel_degree'),
  }
  const devices = readDevices(args)
  const size = sizeOf(degrees)
  const choose = size === 1 && devices !== undefined && devices !== 1
  const decoders = choose ? Number.MAX_SAFE_INTEGER : size / degrees.data
  const config: ParallelConfig = {
    degrees,
    numPipelinePatch: args.number('num_pipeline_patch') ?? degrees.pipefusion,
    warmupSteps: args.number('warmup_steps') ?? 1,
    attnLayerNumForPp: readNumbers(args, 'attn_layer_num_for_pp', args.texts('attn_layer_num_for_pp')),
    distrifusion: args.has('use_distrifusion'),
    // 0 is xDiT's default: no ranks of its own for it.
    vaeParallelSize: args.number('vae_parallel_size') || (args.has('use_parallel_vae') ? decoders : 1),
    shardDit: args.has('shard_dit'),
    shardT5Encoder: args.has('shard_t5_encoder'),
    deviceWeights: readWeights(args),
  }
  return { config, devices, choose, workers: readWorkers(args) }
}

function readDevices(args: ParsedArgs): number | 'auto' | undefined {
  const text = args.text('devices')
  if (text === undefined || text === 'auto') return text
  const devices = Number(text)
  if (Number.isInteger(devices) && devices >= 1) return devices
  throw new UsageError(`--devices is ${JSON.stringify(text)}, expected a whole number from 1 on, or auto`)
}

function readWorkers(args: ParsedArgs): ParallelArgs['workers'] {
  const text = args.text('workers')?.replaceAll('-', '_')
  if (text === undefined || text === 'processes' || text === 'threads') return text
  if (text === 'one_device') return 'one device'
  throw new UsageError(`--workers is ${JSON.stringify(text)}, expected processes, threads or one_device`)
}

function readWeights(args: ParsedArgs): ParallelConfig['deviceWeights'] {
  const text = args.text('device_weights')
  if (text === undefined || text === 'auto') return text
  return readNumbers(args, 'device_weights', text.split(','))
}

function readNumbers(args: ParsedArgs, name: string, texts: readonly string[]): number[] | undefined {
  if (!args.has(name)) return undefined
  return texts.flatMap((text) =>
    text.split(',').map((part) => {
      const value = part.trim() === '' ? Number.NaN : Number(part)
      if (Number.isFinite(value)) return value
      throw new UsageError(`--${name} holds ${JSON.stringify(part)}, expected numbers`)
    }),
  )
}
