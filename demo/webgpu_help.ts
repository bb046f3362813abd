import type { Failure } from './view.ts'

/** Why this page cannot use a GPU and what its reader can do; undefined where nothing stands in the way yet. */
export function missingWebGpu(): Failure | undefined {
  if (navigator.gpu) return undefined
  if (!isSecureContext) {
    return {
      message: `WebGPU is closed to pages from ${location.origin}.`,
      hint: 'Browsers give it to https:// pages and to localhost. Open this page at such an address.',
    }
  }
  return { message: 'This browser has no WebGPU, which draws the pictures.', hint: adviceForBrowser() }
}

/** What to do where the browser has WebGPU in principle and no GPU for it. */
export function adviceForBrowser(): string {
  const { userAgent } = navigator
  if (/Firefox\//.test(userAgent)) {
    return 'Firefox has it on Windows from version 141 and on Macs from 145; or open this page in Chrome or Edge.'
  }
  if (/iPhone|iPad|Macintosh/.test(userAgent) && !/Chrome\//.test(userAgent)) {
    return 'Safari has it from version 26 (iOS 26, macOS 26): update the system, or on a Mac open this page in Chrome.'
  }
  if (/Android/.test(userAgent)) return 'Chrome has it on Android 12 and later, on most phones: update Chrome.'
  if (/Linux/.test(userAgent)) {
    return (
      'Use Chrome 144 or later; on older versions and other GPUs switch on chrome://flags/#enable-unsafe-webgpu and ' +
      'chrome://flags/#enable-vulkan. chrome://gpu tells why a GPU is refused.'
    )
  }
  return 'Use Chrome or Edge 113 or later, with graphics acceleration switched on in their settings (System).'
}
