export type GpuRuntime = 'node' | 'deno' | 'browser'

/** Who implements WebGPU: the runtime itself, or npm `webgpu` (Dawn). */
export const BACKENDS = ['navigator', 'dawn'] as const
export type Backend = (typeof BACKENDS)[number]

const BACKENDS_OF: Record<GpuRuntime, readonly Backend[]> = {
  node: ['dawn'],
  deno: BACKENDS,
  browser: ['navigator'],
}

/** The runtime that this code runs in. Deno is asked first, for it answers to Node's names too. */
export function currentRuntime(): GpuRuntime {
  const scope = globalThis as { Deno?: unknown; process?: { versions?: { node?: string } } }
  if (scope.Deno) return 'deno'
  return scope.process?.versions?.node ? 'node' : 'browser'
}

/** The backends that the runtime can have. */
export const backendsOf = (runtime: GpuRuntime): readonly Backend[] => BACKENDS_OF[runtime]
