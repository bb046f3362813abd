import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { reexec } from './reexec.node.ts'
import { extractSwiftShader, findSwiftShaderArchive, SWIFTSHADER_PACKAGE } from './swiftshader.node.ts'
import { probeVulkan } from './vulkan_probe.node.ts'

/** Which Vulkan this process should run on. */
export interface VulkanChoice {
  kind: 'gpu' | 'lavapipe' | 'swiftshader' | 'none'
  /** The device and the reason, in a line. */
  why: string
  /** What a process must be started with to get it; absent where this process has it already. */
  env?: Record<string, string>
}

/**
 * Chooses between a real GPU, a lavapipe that works, and the SwiftShader of a development dependency, in this order.
 * On macOS and Windows Dawn's own backends need no choice.
 */
export async function chooseVulkan(): Promise<VulkanChoice> {
  if (process.platform !== 'linux') return { kind: 'gpu', why: `the system's own driver (${process.platform})` }
  const { WEBDIT_SOFTWARE_VULKAN: started, WEBDIT_VULKAN_NOTE: note } = process.env
  if (started) return { kind: 'swiftshader', why: note ?? 'WEBDIT_SOFTWARE_VULKAN is set' }

  const { adapter, reason } = await probeVulkan()
  if (adapter && !adapter.software) return { kind: 'gpu', why: adapter.name }
  if (adapter) {
    const kind = adapter.architecture === 'swiftshader' ? 'swiftshader' : 'lavapipe'
    return { kind, why: `no GPU: computing on the CPU with ${adapter.name}, a software Vulkan (slow)` }
  }
  const archive = findSwiftShaderArchive()
  if (!archive) return { kind: 'none', why: `no Vulkan device (${reason}), and ${SWIFTSHADER_PACKAGE} is not there` }
  const { dir, temporary } = await extractSwiftShader(archive)
  if (temporary) process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  const why = `no GPU (${reason}): computing on the CPU with SwiftShader, a software Vulkan (slow)`
  return { kind: 'swiftshader', why, env: swiftShaderEnvironment(dir, why) }
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
export async function ensureVulkan(): Promise<VulkanChoice> {
  const choice = await chooseVulkan()
  if (choice.env) return reexec(choice.env)
  // openPlatform passes it on, also in this process's workers
  if (choice.kind === 'lavapipe' || choice.kind === 'swiftshader') process.env.WEBDIT_VULKAN_NOTE = choice.why
  return choice
}
