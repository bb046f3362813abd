import { DitError } from '../errors.ts'
import type { CardSelection } from './cards/card.ts'
import { withEnvironment } from './cards/native_environment.node.ts'
import { ADAPTER_HINT } from './hints.ts'
import { currentRuntime, type GpuPlatform } from './platform.ts'
import { SWIFTSHADER_PACKAGE } from './swiftshader.node.ts'

/** What Dawn is created with on this system, without a choice of adapter. */
export function dawnOptions(): string[] {
  const options = [
    // An NVIDIA card under Vulkan has shader-f16 and the f16 matrix shapes only with the second toggle.
    'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
    // Timestamps in ns, not in steps of 65.5 µs, which hide from web pages what others compute.
    'disable-dawn-features=timestamp_quantization',
  ]
  // Dawn would try OpenGL next on Linux; elsewhere its own choice (Metal, Direct3D 12) is right.
  if (process.platform === 'linux') options.unshift('backend=vulkan')
  return options
}

const APIS: Partial<Record<NodeJS.Platform, string>> = { linux: 'vulkan', darwin: 'metal', win32: 'd3d12' }

/** dawn.node crashes when a GPU is collected before its devices, so it is held here until its platform is closed. */
const open = new Set<GPU>()

/** npm `webgpu` (Dawn), in Node or Deno. Puts GPUBufferUsage and its like on globalThis where they are not there yet. */
export async function openDawn({ adapter, env }: Partial<CardSelection> = {}): Promise<GpuPlatform> {
  const { create, globals } = await import('webgpu').catch((cause: unknown) => {
    const system = `${process.platform}-${process.arch}`
    throw new DitError('no-adapter', `npm webgpu does not load on ${system}`, 'run npm install again', { cause })
  })
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }
  const options = dawnOptions()
  if (adapter) options.push(`adapter=${adapter}`)
  const gpu = env ? withEnvironment(env, () => createAndLook(create, options)) : create(options)
  open.add(gpu)
  return {
    runtime: currentRuntime(),
    backend: `dawn/${APIS[process.platform] ?? process.platform}`,
    gpu,
    hint: adapter ? ADAPTER_HINT : process.platform === 'linux' ? LINUX_HINT : 'update the graphics driver',
    rest,
    close() {
      open.delete(gpu)
    },
  }
}

/** Dawn asks Vulkan for its devices within the first request, and keeps the answer. */
function createAndLook(create: (options: string[]) => GPU, options: string[]): GPU {
  const gpu = create(options)
  gpu.requestAdapter().catch(() => {}) // a later one fails as well, where it is heard
  return gpu
}

const REST = 2 // ms
const never = new Int32Array(new SharedArrayBuffer(4))
let turn: Promise<void> | undefined

/**
 * dawn.node asks once in every turn of the event loop: a turn with a pause in it, one for all who wait. Signals and timers
 * wait as long. On SwiftShader and two cores, a second of computing took 1.2 s in Node and 2.3 s in Deno without it.
 */
const rest = (): Promise<void> =>
  (turn ??= new Promise((resolve) => {
    setImmediate(() => {
      Atomics.wait(never, 0, 0, REST)
      turn = undefined
      resolve()
    })
  }))

/** What mends a Linux machine that has no adapter. */
export const LINUX_HINT =
  "install the GPU's Vulkan driver (apt-get install libvulkan1 mesa-vulkan-drivers, or the vendor's own), " +
  `or for software rendering: npm i -D ${SWIFTSHADER_PACKAGE}, and start through webdit's command line`
