import { PARALLEL_FLAGS } from '../../parallel/config/flags.ts'
import { REFUSED_FLAGS } from '../../parallel/config/xdit_flags.ts'
import { TEXT_ENCODERS } from '../../pipelines/network_files.ts'
import { DEFAULT_LIMITS as D } from '../../server/limits.ts'
import type { OptionSpec } from '../command.ts'
import { GENERATE_OPTIONS } from '../generate/options.ts'

/** What of `generate` says which model is loaded and where, and not what is drawn. */
const LOADING = [
  'model',
  'random_weights',
  'variant',
  'transformer',
  ...TEXT_ENCODERS,
  'offload',
  'on_device_loss',
  'weights',
  'lora',
]
const DEVICE = ['adapter', 'backend', 'tier', 'memory']

export const loadingOptions = (): OptionSpec[] => GENERATE_OPTIONS.filter(({ name }) => LOADING.includes(name))
export const deviceOptions = (): OptionSpec[] => GENERATE_OPTIONS.filter(({ name }) => DEVICE.includes(name))

export const DEFAULT_PORT = 8000
export const DEFAULT_HOST = '127.0.0.1'

const MESHES: OptionSpec = {
  name: 'data_parallel_degree',
  type: 'integer',
  help: 'Meshes that draw different requests, all fed from one queue. Default: 1.',
}

export const SERVE_OPTIONS: readonly OptionSpec[] = [
  ...loadingOptions(),
  {
    name: 'host',
    type: 'text',
    value: 'ADDRESS',
    help: `Where it listens; 0.0.0.0 is open to the network. Default: ${DEFAULT_HOST}, this machine alone.`,
  },
  {
    name: 'port',
    type: 'integer',
    help: `0 for any that is free. Default: ${DEFAULT_PORT}.`,
  },
  {
    name: 'api_keys',
    type: 'text',
    value: 'FILE',
    help: 'A key a line, of which requests must carry one: "Authorization: Bearer KEY". Default: none are asked for.',
  },
  {
    name: 'cors_origin',
    type: 'texts',
    value: 'ORIGIN',
    help: 'Pages of these origins may ask, such as https://example.org. Default: none.',
  },
  {
    name: 'model_name',
    type: 'text',
    value: 'NAME',
    help: "What requests call the model. Default: its folder's name.",
  },
  {
    name: 'queue',
    type: 'integer',
    help: `Pictures that may wait; what exceeds it is told to try again (429). Default: ${D.queue}.`,
  },
  {
    name: 'max_batch',
    type: 'integer',
    help: `Pictures of the same shape that are drawn together. Default: ${D.batch}.`,
  },
  { name: 'max_size', type: 'integer', help: `Pixels of a side that may be asked for. Default: ${D.size}.` },
  { name: 'max_steps', type: 'integer', help: `Steps that may be asked for. Default: ${D.steps}.` },
  { name: 'max_n', type: 'integer', help: `Pictures that a request may ask for. Default: ${D.n}.` },
  { name: 'max_body', type: 'bytes', value: 'SIZE', help: `Of a request. Default: ${D.body / 1024}KiB.` },
  {
    name: 'deadline',
    type: 'number',
    value: 'SECONDS',
    help: `Until when a request must be answered; it may ask for less. Default: ${D.deadline}.`,
  },
  ...deviceOptions(),
  ...PARALLEL_FLAGS.map((spec) => (spec.name === 'data_parallel_degree' ? MESHES : spec)),
  ...REFUSED_FLAGS,
]

export const SERVE_DESCRIPTION = `Answers HTTP requests for pictures: POST /v1/images/generations as at OpenAI, POST /generate as xDiT's service.

Examples:
  webdit serve
  webdit serve --model ./FLUX.1-dev --devices 8 --data_parallel_degree 2 --ulysses_degree 4 --api_keys keys.txt
  curl localhost:${DEFAULT_PORT}/v1/images/generations -H "Content-Type: application/json" -d '{"prompt": "red apple"}'`
