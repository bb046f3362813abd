import { BACKENDS, type Backend, backendsOf, currentRuntime } from '../runtime/platform/platform.ts'
import { type DeviceChoice, type OptionSpec, type ParsedArgs, UsageError } from './command.ts'

const TIERS = ['f32', 'f16', 'matrix'] as const

/** The flags of every command that computes: on which device, through what, and how exactly. */
export const DEVICE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'adapter',
    type: 'text',
    value: 'NAME|ADDRESS',
    help: 'Part of the name of the GPU to use, or its PCI address, such as 0000:41:00.0; webdit doctor tells both. Default: the fastest.',
  },
  {
    name: 'backend',
    type: 'text',
    value: BACKENDS.join('|'),
    help: "navigator is the runtime's own WebGPU (Deno), dawn is npm webgpu (Node and Deno). Default: the better one.",
  },
  {
    name: 'tier',
    type: 'text',
    value: TIERS.join('|'),
    help: 'Precision of weights and products: f16 is faster, f32 exact. Sums are f32 in both. Default: the fastest that the device has.',
  },
  {
    name: 'memory',
    type: 'bytes',
    value: 'SIZE',
    help: 'What weights and activations may take on the device, such as 8GiB or 800MB. Default: no limit on a GPU, 75% of the free memory where the CPU computes.',
  },
]

/**
 * What DEVICE_OPTIONS say.
 * @throws UsageError for a backend that this runtime has not, or a tier that there is not
 */
export function deviceChoice(args: ParsedArgs): DeviceChoice {
  return {
    adapter: args.text('adapter'),
    backend: backendOf(args),
    tier: oneOf(args, 'tier', TIERS),
    memory: args.number('memory'),
  }
}

function backendOf(args: ParsedArgs): Backend | undefined {
  const backend = oneOf(args, 'backend', BACKENDS)
  const known = backendsOf(currentRuntime())
  if (backend === undefined || known.includes(backend)) return backend
  throw new UsageError(
    `--backend is "${backend}", and Node has ${known.join(' and ')} alone`,
    'Leave it out, or run webdit in Deno, which has both: deno run -A',
  )
}

function oneOf<T extends string>(args: ParsedArgs, name: string, values: readonly T[]): T | undefined {
  const given = args.text(name)
  if (given === undefined) return undefined
  const value = values.find((one) => one === given)
  if (value === undefined)
    throw new UsageError(`--${name} is ${JSON.stringify(given)}, expected ${values.join(' or ')}`)
  return value
}
