import type { Tier } from './kernel.ts'

/** What WebGPU tells of an adapter's hardware and driver. */
export type AdapterInfo = Pick<
  GPUAdapterInfo,
  'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'
> & {
  readonly subgroupMinSize?: number
  readonly subgroupMaxSize?: number
  /** Chromium's extension; a list, or whatever can be gone through. */
  readonly subgroupMatrixConfigs?: Iterable<MatrixConfig>
}

/** Matrices that the threads of a subgroup multiply together. */
interface MatrixConfig {
  readonly componentType: string
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

/** What an adapter, or a probe of one, has. */
export interface AdapterTraits {
  readonly info: AdapterInfo
  readonly features: { has(name: string): boolean }
}

/** From the plainest to the best. */
export const TIERS: readonly Tier[] = ['f32', 'f16', 'matrix']

/** The best tier that can be had of an adapter or device with these features. */
export const bestTier = ({ features, info }: AdapterTraits): Tier =>
  !features.has('shader-f16') ? 'f32' : hasMatrixUnits({ features, info }) ? 'matrix' : 'f16'

/** The feature that matrix units take, not of any standard yet. */
export const SUBGROUP_MATRIX = 'chromium-experimental-subgroup-matrix'

/** Matrices of 16 x 16 x 16, f16 summed in f32, by subgroups of 32 threads: what webdit has kernels for. */
const hasMatrixUnits = ({ features, info }: AdapterTraits): boolean =>
  features.has(SUBGROUP_MATRIX) &&
  features.has('subgroups') &&
  info.subgroupMinSize === 32 &&
  info.subgroupMaxSize === 32 &&
  [...(info.subgroupMatrixConfigs ?? [])].some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16,
  )

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
  return hardware * 100 + TIERS.indexOf(bestTier({ info, features })) * 10 + Number(features.has('subgroups'))
}
