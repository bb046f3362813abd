import { DitError } from '../errors.ts'
import { openNavigator } from './navigator.ts'

/** Where WebGPU comes from in this runtime: the one place where Node, Deno and browsers differ in opening a device. */
export interface GpuPlatform {
  readonly runtime: GpuRuntime
  /** What stands behind `gpu`, for people: 'dawn/vulkan', 'navigator.gpu'. */
  readonly backend: string
  readonly gpu: GPU
  /** One-line notices that a face should print, such as the fallback to a software driver. */
  readonly notes: string[]
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

export type GpuRuntime = 'node' | 'deno' | 'browser'

/** Who implements WebGPU: the runtime itself (browsers, Deno), or npm `webgpu` (Node, Deno). */
export const BACKENDS = ['navigator', 'dawn'] as const
export type Backend = (typeof BACKENDS)[number]

export interface PlatformOptions {
  /** Node: a substring of the adapter's name; the only choice between cards that Dawn offers. */
  adapter?: string
}

/** The runtime that this code runs in. Deno is asked first, for it answers to Node's names too. */
export function currentRuntime(): GpuRuntime {
  const scope = globalThis as { Deno?: unknown; process?: { versions?: { node?: string } } }
  if (scope.Deno) return 'deno'
  return scope.process?.versions?.node ? 'node' : 'browser'
}

/**
 * Opens WebGPU in this runtime. Chooses no adapter yet: see `requestAdapter`.
 *
 * @throws DitError 'no-adapter' where the runtime has no WebGPU at all
 */
export async function openPlatform(options: PlatformOptions = {}): Promise<GpuPlatform> {
  const runtime = currentRuntime()
  if (runtime !== 'node') return openNavigator(runtime)
  const { openNode } = await import('./node.node.ts')
  return openNode(options)
}

/**
 * The platform's adapter.
 *
 * @throws DitError 'no-adapter', with the command that mends it as the hint
 */
export async function requestAdapter(
  platform: GpuPlatform,
  options: GPURequestAdapterOptions = {},
): Promise<GPUAdapter> {
  let reason: string | undefined
  try {
    const adapter = await platform.gpu.requestAdapter(options)
    if (adapter) return adapter
  } catch (error) {
    // dawn.node throws, and lists the names that it has, when none matches `adapter=`
    reason = error instanceof Error ? error.message.trim() : String(error)
  }
  throw new DitError(
    'no-adapter',
    `no WebGPU adapter through ${platform.backend}${reason ? `: ${reason}` : ''}`,
    platform.hint,
  )
}
