import { DitError } from '../errors.ts'
import type { GpuPlatform } from './platform.ts'

const HINTS = {
  browser:
    'use a browser with WebGPU (Chrome or Edge 113, Safari 26, Firefox 141 or later) on an https:// or localhost page',
  deno: 'use Deno 2 (with --unstable-webgpu on versions that need it) and a Vulkan, Metal or Direct3D 12 driver',
}

/** WebGPU as browsers and Deno give it. */
export function openNavigator(runtime: 'browser' | 'deno'): GpuPlatform {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu
  if (!gpu) throw new DitError('no-adapter', `this ${runtime} has no navigator.gpu`, HINTS[runtime])
  return { runtime, backend: 'navigator.gpu', gpu, notes: [], hint: HINTS[runtime], close() {} }
}
