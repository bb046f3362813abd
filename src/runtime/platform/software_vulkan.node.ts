import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type AdapterTraits, adapterMerit, isSoftware, isSwiftShader } from '../adapter.ts'
import { type Backend, backendsOf, currentRuntime } from './platform.ts'
import { reexec } from './reexec.node.ts'
import { extractSwiftShader, findSwiftShaderArchive, SWIFTSHADER_PACKAGE } from './swiftshader.node.ts'
import { plainVulkan, probeVulkan, type VulkanProbe } from './vulkan_probe.node.ts'

/** Which Vulkan this process should run on. */
export interface VulkanChoice {
  kind: 'gpu' | 'lavapipe' | 'swiftshader' | 'none'
  /** The device and the reason, in a line. */
  why: string
  /** The backend to open it with; absent where either will do. */
  backend?: Backend
  /** What a process must be started with to get it; absent where this process has it already. */
  env?: Record<string, string>
}

/**
 * Chooses between a real GPU, a lavapipe that works, and the SwiftShader of a development dependency, in this order.
 * Which of them a backend opens differs: Dawn refuses the lavapipe of Debian 12, wgpu in Deno does not.
 * On macOS and Windows the backends' own choice is right.
 *
 * @param backend the one that will be used; by default the runtime's best
 */
export async function chooseVulkan(backend?: Backend): Promise<VulkanChoice> {
  if (process.platform !== 'linux')
    return { kind: 'gpu', why: `the system's own driver (${process.platform})`, backend }
  const { WEBDIT_SOFTWARE_VULKAN: started, WEBDIT_VULKAN_NOTE: note } = process.env
  if (started) return { kind: 'swiftshader', why: note ?? 'WEBDIT_SOFTWARE_VULKAN is set', backend }

  const backends = backend ? [backend] : backendsOf(currentRuntime())
  const probes = await Promise.all(backends.map((one) => probeVulkan(one)))
  const best = bestOf(probes)
  if (best) return { ...describe(best.adapter), backend: best.backend }
  const { reason } = probes.at(-1)!
  const archive = findSwiftShaderArchive()
  if (!archive) return { kind: 'none', why: `no Vulkan device (${reason}), and ${SWIFTSHADER_PACKAGE} is not there` }
  const { dir, temporary } = await extractSwiftShader(archive)
  if (temporary) process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  const why = `no GPU (${reason}): computing on the CPU with SwiftShader, a software Vulkan (slow)`
  return { kind: 'swiftshader', why, backend, env: swiftShaderEnvironment(dir, why) }
}

/** The first of the best. */
function bestOf(probes: readonly VulkanProbe[]): { backend: Backend; adapter: AdapterTraits } | undefined {
  const found = probes.flatMap(({ backend, adapter }) => (adapter ? [{ backend, adapter }] : []))
  const merits = found.map(({ adapter }) => adapterMerit(adapter))
  return found[merits.indexOf(Math.max(...merits))]
}

function describe({ info }: AdapterTraits): Pick<VulkanChoice, 'kind' | 'why'> {
  const name = info.description || info.device
  if (!isSoftware(info)) return { kind: 'gpu', why: name }
  const kind = isSwiftShader(info) ? 'swiftshader' : 'lavapipe'
  return { kind, why: `no GPU: computing on the CPU with ${name}, a software Vulkan (slow)` }
}

function swiftShaderEnvironment(dir: string, note: string): Record<string, string> {
  const manifest = join(dir, 'vk_swiftshader_icd.json')
  const { LD_LIBRARY_PATH, VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env
  return {
    // Loaders since 1.3.207 read VK_DRIVER_FILES first, older ones know only the other.
    VK_DRIVER_FILES: manifest,
    VK_ICD_FILENAMES: manifest,
    LD_LIBRARY_PATH: LD_LIBRARY_PATH ? `${dir}:${LD_LIBRARY_PATH}` : dir,
    WEBDIT_SOFTWARE_VULKAN: '1',
    WEBDIT_VULKAN_NOTE: note,
    WEBDIT_SYSTEM_DRIVERS: VK_DRIVER_FILES ?? VK_ICD_FILENAMES ?? '', // for doctor
  }
}

/**
 * Sees to it that this process has the Vulkan chosen by `chooseVulkan`, for a program's first line: the loader reads its
 * environment as a process starts, so where SwiftShader is the choice this starts the same command line again with it,
 * lends it its terminal, and ends as it ends. Never use it in a library: it takes over the process.
 */
export async function ensureVulkan(backend?: Backend): Promise<VulkanChoice> {
  const choice = await chooseVulkan(backend)
  if (choice.env) return reexec(choice.env)
  if (process.platform === 'linux') Object.assign(process.env, plainVulkan())
  return choice
}
