import type { Tier } from './kernel.ts'

/** What WebGPU tells of an adapter's hardware and driver. */
export type AdapterInfo = Pick<
  GPUAdapterInfo,
  'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'
>

/** What an adapter, or a probe of one, has. */
export interface AdapterTraits {
  readonly info: AdapterInfo
  readonly features: { has(name: string): boolean }
}

const TIERS: readonly Tier[] = ['f32', 'f16', 'matrix']

/** The best tier that can be had of an adapter or device with these features. */
export const bestTier = (features: AdapterTraits['features']): Tier => (features.has('shader-f16') ? 'f16' : 'f32')

/** A device that computes on the CPU: SwiftShader, lavapipe, WARP. */
export const isSoftware = ({ isFallbackAdapter, architecture, description }: AdapterInfo): boolean =>
  isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp/i.test(`${architecture} ${description}`)

export const isSwiftShader = ({ architecture, description }: AdapterInfo): boolean =>
  /swiftshader/i.test(`${architecture} ${description}`)

/** Product and driver, as far as the runtime tells them. */
export function adapterName({ vendor, architecture, device, description }: AdapterInfo): string {
  const product = word(device.replace(/-+$/, '')) || [word(vendor), architecture].filter(Boolean).join(' ')
  return [product, description].filter(Boolean).join(', ') || 'unnamed device'
}

/** wgpu gives PCI ids in decimal for vendor and device: no names. */
const word = (text: string): string => (/^\d+$/.test(text) ? '' : text)

/** Orders adapters by how fast webdit computes there: hardware first, then the tier, then whether there are subgroups. */
export function adapterMerit({ info, features }: AdapterTraits): number {
  // SwiftShader is the stopgap of machines that have nothing else.
  const hardware = isSwiftShader(info) ? 0 : isSoftware(info) ? 1 : 2
  return hardware * 100 + TIERS.indexOf(bestTier(features)) * 10 + Number(features.has('subgroups'))
}
