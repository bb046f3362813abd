import { describe, expect, it } from 'vitest'
import { adapterMerit, adapterName, isSoftware } from '../../src/runtime/adapter.ts'

/** As the backends report them: Dawn with names, wgpu (Deno) with PCI ids in decimal, Chrome without a product. */
const ADAPTERS = {
  dawnH100: info('nvidia', 'hopper', 'NVIDIA H100 80GB HBM3', 'NVIDIA: 570.86'),
  dawnSwiftShader: info('google', 'swiftshader', 'swiftshader-device-subzero-', 'SwiftShader driver 5.0.0', true),
  wgpuH100: info('4318', '', '9008', 'NVIDIA H100 80GB HBM3'),
  wgpuLavapipe: info('65541', '', '0', 'llvmpipe (LLVM 15.0.6, 256 bits)', true),
  wgpuSwiftShader: info('6880', '', '49374', 'SwiftShader Device (Subzero)'),
  chrome: info('apple', 'metal-3', '', ''),
}

function info(vendor: string, architecture: string, device: string, description: string, isFallbackAdapter = false) {
  return { vendor, architecture, device, description, isFallbackAdapter }
}

it('names devices by words, not by ids', () => {
  const names = Object.fromEntries(Object.entries(ADAPTERS).map(([key, value]) => [key, adapterName(value)]))
  expect(names).toEqual({
    dawnH100: 'NVIDIA H100 80GB HBM3, NVIDIA: 570.86',
    dawnSwiftShader: 'swiftshader-device-subzero, SwiftShader driver 5.0.0',
    wgpuH100: 'NVIDIA H100 80GB HBM3',
    wgpuLavapipe: 'llvmpipe (LLVM 15.0.6, 256 bits)',
    wgpuSwiftShader: 'SwiftShader Device (Subzero)',
    chrome: 'apple metal-3',
  })
  expect(adapterName(info('4318', '', '9008', ''))).toBe('unnamed device')
})

it('tells devices that compute on the CPU, by their names or by the word of the backend', () => {
  const software = Object.entries(ADAPTERS).filter(([, value]) => isSoftware(value))
  expect(software.map(([key]) => key)).toEqual(['dawnSwiftShader', 'wgpuLavapipe', 'wgpuSwiftShader'])
  expect(isSoftware(info('', '', '', 'llvmpipe (LLVM 17, 256 bits)'))).toBe(true)
  expect(isSoftware(info('', '', '', 'some driver', true))).toBe(true)
})

describe('adapterMerit', () => {
  const merit = (key: keyof typeof ADAPTERS, ...features: string[]) =>
    adapterMerit({ info: ADAPTERS[key], features: new Set(features) })

  it('puts hardware first, then the tier, then subgroups', () => {
    const worstToBest = [
      merit('wgpuSwiftShader'),
      merit('dawnSwiftShader', 'subgroups'),
      merit('wgpuLavapipe'),
      merit('wgpuLavapipe', 'shader-f16'),
      merit('wgpuLavapipe', 'shader-f16', 'subgroups'),
      merit('wgpuH100'),
      merit('dawnH100', 'subgroups'),
      merit('wgpuH100', 'shader-f16'),
      merit('dawnH100', 'shader-f16', 'subgroups'),
    ]
    expect(worstToBest).toEqual([...new Set(worstToBest)].sort((a, b) => a - b))
  })
})
