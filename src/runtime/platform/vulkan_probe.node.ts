import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { AdapterTraits } from '../adapter.ts'
import { dawnOptions } from './dawn.node.ts'
import type { Backend } from './platform.ts'
import { runScript } from './run_script.node.ts'

/** What a backend opens with a given environment. */
export interface VulkanProbe {
  readonly backend: Backend
  /** The adapter, where there is one and, if it is a software one, a shader ran on it. */
  readonly adapter?: AdapterTraits
  /** Without an adapter: the backend's reason, in a line. */
  readonly reason: string
  /** What drivers and layers wrote meanwhile. */
  readonly stderr: string
}

/** What the child has of a backend; npm `webgpu` has in `globals` what browsers have on globalThis. */
interface Api {
  gpu: GPU
  globals: Pick<typeof globalThis, 'GPUBufferUsage' | 'GPUMapMode'>
}

const PROBE_TIMEOUT_MS = 20_000

/**
 * Asks for a Vulkan adapter in a short child process (about 0.12 s). A child, because Dawn and Mesa print their
 * complaints on stderr by themselves, because a driver that crashes must not take the caller along, and because a loader
 * reads its environment only once.
 */
export async function probeVulkan(
  backend: Backend,
  env: NodeJS.ProcessEnv = process.env,
  timeout = PROBE_TIMEOUT_MS,
): Promise<VulkanProbe> {
  const script = `${backend === 'dawn' ? openingDawn() : OPENING_NAVIGATOR}; (${askForAdapter})(api)`
  const { stdout, stderr, ended } = await runScript(script, { ...env, ...plainVulkan(env) }, timeout)
  const found = /^adapter (.*)$/m.exec(stdout)
  if (found) {
    const { info, features } = JSON.parse(found[1])
    return { backend, adapter: { info, features: new Set(features) }, reason: '', stderr }
  }
  // The first complaint is the cause: "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open …"
  const complaint = /^(?:Warning|Error): (.*)$/m.exec(stderr)
  const none = ended === 'exit code 0' ? 'Vulkan reports no device' : ended
  const reason = complaint ? complaint[1].trim() : none
  const short = reason.replace(/^.*: (\S+): cannot open shared object file.*$/, '$1 is not installed')
  return { backend, reason: short, stderr }
}

/** Environment on Linux that leaves a program with Vulkan alone, and lets it be quiet about it. */
export function plainVulkan(env = process.env): Record<string, string> {
  return {
    // wgpu in Deno would try OpenGL next, as slow as a software Vulkan and without f16.
    DENO_WEBGPU_BACKEND: env.DENO_WEBGPU_BACKEND ?? 'vulkan',
    // Mesa looks for a Wayland display, and complains where there is no session; of an absolute path it says nothing.
    ...(env.XDG_RUNTIME_DIR ? {} : { WAYLAND_DISPLAY: env.WAYLAND_DISPLAY ?? '/dev/null' }),
  }
}

const OPENING_NAVIGATOR = 'const api = { gpu: navigator.gpu, globals: globalThis }'

function openingDawn(): string {
  const webgpu = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href
  const gpu = `dawn.create(${JSON.stringify(dawnOptions())})`
  return `import * as dawn from '${webgpu}'; const api = { gpu: ${gpu}, globals: dawn.globals }`
}

/** Runs as text in the child, so it uses its argument and globals alone. */
async function askForAdapter({ gpu, globals }: Api): Promise<void> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (adapter) {
    const { vendor, architecture, device: id, description, isFallbackAdapter } = adapter.info
    // Software drivers differ in what they can run; a real GPU's driver is taken at its word, for opening it is slow.
    if (isFallbackAdapter) {
      const device = await adapter.requestDevice()
      const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = globals.GPUBufferUsage
      const code =
        '@group(0) @binding(0) var<storage, read_write> x: u32; @compute @workgroup_size(1) fn f() { x = 42; }'
      const compute = { module: device.createShaderModule({ code }) }
      const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute })
      const buffer = device.createBuffer({ size: 4, usage: STORAGE | COPY_SRC })
      const result = device.createBuffer({ size: 4, usage: COPY_DST | MAP_READ })
      const layout = pipeline.getBindGroupLayout(0)
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }))
      pass.dispatchWorkgroups(1)
      pass.end()
      encoder.copyBufferToBuffer(buffer, 0, result, 0, 4)
      device.queue.submit([encoder.finish()])
      await result.mapAsync(globals.GPUMapMode.READ)
      if (new Uint32Array(result.getMappedRange())[0] !== 42) throw new Error(`${description} computes wrong`)
    }
    const info = { vendor, architecture, device: id, description, isFallbackAdapter }
    console.log(`adapter ${JSON.stringify({ info, features: [...adapter.features] })}`)
  }
  // `gpu` is named here so that it lives until now: dawn.node crashes when it is collected before its devices.
  ;(globalThis as unknown as { process: { exit(code: number): void } }).process.exit(gpu ? 0 : 1)
}
