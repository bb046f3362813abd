import { DitError } from '../errors.ts'
import type { CardSelection } from './cards/card.ts'
import { ADAPTER_HINT } from './hints.ts'
import type { GpuPlatform, GpuRuntime } from './platform.ts'

const HINTS: Partial<Record<GpuRuntime, string>> = {
  browser:
    'use a browser with WebGPU (Chrome or Edge 113, Safari 26, Firefox 141 or later) on an https:// or localhost page',
  deno: 'use Deno 2 (with --unstable-webgpu on versions that need it) and a Vulkan, Metal or Direct3D 12 driver',
}

/** WebGPU as browsers and Deno give it. */
export function openNavigator(
  runtime: GpuRuntime,
  { adapter, powerPreference }: Partial<CardSelection> = {},
): GpuPlatform {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu
  if (!gpu) throw new DitError('no-adapter', `this ${runtime} has no navigator.gpu`, HINTS[runtime])
  const hint = adapter ? ADAPTER_HINT : (HINTS[runtime] ?? 'update the graphics driver')
  return { runtime, backend: 'navigator.gpu', gpu, adapter, powerPreference, hint, close() {} }
}
