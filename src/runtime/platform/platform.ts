import { adapterName } from '../adapter.ts'
import { DitError } from '../errors.ts'
import { type Card, pciAddress } from './cards/card.ts'
import { cardAt, listCards } from './cards/list_cards.ts'
import { openNavigator } from './navigator.ts'
import { type Backend, backendsOf, currentRuntime, type GpuRuntime } from './runtimes.ts'

export { BACKENDS, type Backend, backendsOf, currentRuntime, type GpuRuntime } from './runtimes.ts'

/** Where WebGPU comes from in this runtime: the one place where Node, Deno and browsers differ in opening a device. */
export interface GpuPlatform {
  readonly runtime: GpuRuntime
  /** What stands behind `gpu`, for people: 'dawn/vulkan', 'navigator.gpu'. */
  readonly backend: string
  readonly gpu: GPU
  /** A part of the wanted adapter's name, where `gpu` cannot look for it by itself. */
  readonly adapter?: string
  /** Which of the two adapters that `gpu` may have was asked for; counts more than what a request prefers. */
  readonly powerPreference?: GPUPowerPreference
  /** What to do when `gpu` has no adapter, in a sentence or a command. */
  readonly hint: string
  /**
   * Present where the runtime asks the device without rest while a promise is pending: pauses this thread for a few ms
   * between two questions. On a device that computes on the CPU, the asking would take a core away from computing.
   */
  readonly rest?: () => Promise<void>
  /** Lets go of `gpu`: after its devices are destroyed, never before. A live one can keep a Node process from ending. */
  close(): void
}

export interface PlatformOptions {
  /** A part of the adapter's name, or the PCI address of a card. */
  adapter?: string
  /** One of `listCards`; instead of the others. */
  card?: Card
  /** Default: the runtime's only one; in Deno, the one with the better adapter. */
  backend?: Backend
}

/**
 * Opens WebGPU in this runtime. Chooses no adapter yet: see `requestAdapter`.
 *
 * @throws DitError 'bad-argument' for a backend that the runtime does not have, 'no-adapter' where there is no WebGPU
 */
export async function openPlatform(options: PlatformOptions = {}): Promise<GpuPlatform> {
  const runtime = currentRuntime()
  const known = backendsOf(runtime)
  const { backend = known.length === 1 ? known[0] : undefined } = options
  if (backend && !known.includes(backend)) {
    throw new DitError('bad-argument', `backend is '${backend}', and ${runtime} has ${known.join(' and ')} alone`)
  }
  const card = options.card ?? (await addressed(options))
  if (card) return (await import('./cards/open_card.ts')).openCard(card)
  const { adapter } = options
  if (backend === 'navigator') return openNavigator(runtime, { adapter })
  if (backend === 'dawn') return (await import('./dawn.node.ts')).openDawn({ adapter })
  return (await import('./better_backend.ts')).openBetter(known, options)
}

/** The card that is meant, where an address is given instead of a name. */
async function addressed({ adapter, backend }: PlatformOptions): Promise<Card | undefined> {
  const pci = adapter && pciAddress(adapter)
  if (!pci) return undefined
  return cardAt(pci, await listCards({ backend, software: true }))
}

/** What a request can ask for; Dawn and wgpu tell no list of adapters. */
const PREFERENCES: readonly GPURequestAdapterOptions[] = [
  { powerPreference: 'high-performance' },
  { powerPreference: 'low-power' },
  { forceFallbackAdapter: true },
]

/**
 * The platform's adapter.
 *
 * @throws DitError 'no-adapter', with the command that mends it as the hint
 */
export async function requestAdapter(
  platform: GpuPlatform,
  options: GPURequestAdapterOptions = {},
): Promise<GPUAdapter> {
  const { gpu, adapter: wanted, powerPreference, backend, hint } = platform
  let reason: string | undefined
  try {
    const adapter = await gpu.requestAdapter(powerPreference ? { ...options, powerPreference } : options)
    if (adapter && (wanted === undefined || isNamed(adapter.info, wanted))) return adapter
    const others = adapter ? await listAdapters(platform) : []
    const named = others.find(({ info }) => isNamed(info, wanted!))
    if (named) return named
    if (others.length > 0)
      reason = `none is named '${wanted}' but ${others.map(({ info }) => adapterName(info)).join('; ')}`
  } catch (error) {
    // dawn.node throws, and lists the names that it has, when none matches `adapter=`
    reason = error instanceof Error ? error.message.trim() : String(error)
  }
  throw new DitError('no-adapter', `no WebGPU adapter through ${backend}${reason ? `: ${reason}` : ''}`, hint)
}

/** The adapters that differ among those that the preferences name, the fastest first. */
export async function listAdapters({ gpu }: GpuPlatform): Promise<GPUAdapter[]> {
  const asked = PREFERENCES.map((options) => gpu.requestAdapter(options).catch(() => null))
  const found = (await Promise.all(asked)).filter((adapter) => adapter !== null)
  const key = ({ info, features }: GPUAdapter) =>
    JSON.stringify([info.vendor, info.architecture, info.device, info.description, [...features]])
  return found.filter((adapter, i) => found.findIndex((other) => key(other) === key(adapter)) === i)
}

/** Of all that the adapter tells of itself. */
const isNamed = ({ vendor, architecture, device, description }: GPUAdapterInfo, part: string): boolean =>
  [vendor, architecture, device, description].join(' ').toLowerCase().includes(part.toLowerCase())
