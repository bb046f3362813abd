import { PARALLEL_FLAGS } from '../../parallel/config/flags.ts'
import { REFUSED_FLAGS } from '../../parallel/config/xdit_flags.ts'
import { type OptionSpec, type ParsedArgs, UsageError } from '../command.ts'
import { MACHINE_OPTIONS, quantity } from '../plan/quantities.ts'
import { deviceOptions, loadingOptions } from '../serve/options.ts'
import { NATS_OPTIONS } from './nats_options.ts'

const PATIENCE = 15

export interface NodeSettings {
  /** Seconds without a sign of life after which a job goes to another node. */
  readonly patience: number
  readonly metricsPort: number | undefined
  /** Ranks that are lent to meshes over several machines, instead of taking jobs. */
  readonly lends: number | undefined
  /** FLOP/s of a device, where they are not to be measured. */
  readonly flops: number | undefined
}

const FLOPS: OptionSpec = {
  ...MACHINE_OPTIONS.find(({ name }) => name === 'device_flops')!,
  help: 'What a device computes, for the table of nodes. Default: measured, which takes a second or two.',
}

const MESHES: OptionSpec = {
  name: 'data_parallel_degree',
  type: 'integer',
  help: 'Meshes of this machine that draw different jobs. Default: 1.',
}

export const NODE_OPTIONS: readonly OptionSpec[] = [
  ...NATS_OPTIONS,
  ...loadingOptions(),
  {
    name: 'model_name',
    type: 'text',
    value: 'NAME',
    help: "What requests call the model. Default: its folder's name.",
  },
  {
    name: 'patience',
    type: 'number',
    value: 'SECONDS',
    help: `A job whose node gives no sign of life for so long goes to another one; all nodes of a model say the same. Default: ${PATIENCE}.`,
  },
  {
    name: 'lend_ranks',
    type: 'integer',
    help: 'Lend so many ranks, each with a device of its own, to meshes over several machines (webdit generate --nats with degrees), instead of taking jobs.',
  },
  {
    name: 'metrics_port',
    type: 'integer',
    help: 'Answers Prometheus at http://127.0.0.1:N/metrics; 0 for any port that is free. Default: nothing listens.',
  },
  FLOPS,
  ...deviceOptions(),
  ...PARALLEL_FLAGS.map((spec) => (spec.name === 'data_parallel_degree' ? MESHES : spec)),
  ...REFUSED_FLAGS,
]

export const NODE_DESCRIPTION = `Joins a cluster of machines: takes jobs out of its queue, draws them on this machine's devices and leaves the pictures in
the object store of the NATS server. It listens to nobody itself. At Ctrl-C or SIGTERM it finishes what it draws and ends;
a second one ends it at once, and another node begins that job anew.

Examples:
  nats-server -js
  webdit node --nats nats://127.0.0.1:4222 --model ./FLUX.1-dev --devices 4
  webdit generate --nats nats://127.0.0.1:4222 --prompt "red apple"`

/** @throws UsageError */
export function readNodeSettings(args: ParsedArgs): NodeSettings {
  const patience = args.number('patience') ?? PATIENCE
  if (!(patience >= 0.5 && patience <= 3600)) {
    throw new UsageError(`--patience is ${patience}, expected seconds from 0.5 to 3600`)
  }
  const metricsPort = args.number('metrics_port')
  if (metricsPort !== undefined && (metricsPort < 0 || metricsPort > 65_535)) {
    throw new UsageError(`--metrics_port is ${metricsPort}, expected a number from 0 to 65535`)
  }
  const lends = args.number('lend_ranks')
  if (lends !== undefined && !(lends >= 1 && lends <= 1024)) {
    throw new UsageError(`--lend_ranks is ${lends}, expected a number from 1 to 1024`)
  }
  const own = PARALLEL_FLAGS.find(({ name }) => args.has(name))
  if (lends !== undefined && own) {
    throw new UsageError(
      `--${own.name} is for whoever asks for a mesh of lent ranks`,
      'Give it to webdit generate --nats.',
    )
  }
  return { patience, metricsPort, lends, flops: quantity(args, 'device_flops') }
}
