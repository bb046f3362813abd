import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { extractSwiftShader, findSwiftShaderArchive } from '../../src/runtime/platform/swiftshader.node.ts'

const MANIFEST = 'share/vulkan/implicit_layer.d/VkLayer_MESA_device_select.json'
/** Where Mesa's device-select layer is: installed (mesa-vulkan-drivers), or unpacked into a folder with its lib and share. */
const MESA = [process.env.WEBDIT_MESA, '/usr'].find((root) => root && existsSync(join(root, MANIFEST)))

const LIBRARIES = ['lib/x86_64-linux-gnu', 'lib64', 'lib'].map((dir) => join(MESA ?? '/nowhere', dir))
const LIBRARY = LIBRARIES.map((dir) => join(dir, 'libVkLayer_MESA_device_select.so')).find(existsSync)

/** That of Mesa 23.1 or later chooses by PCI address; the one before chooses another card. */
export const LAYER: 'none' | 'old' | 'new' = !LIBRARY
  ? 'none'
  : readFileSync(LIBRARY, 'latin1').includes('dri_prime_tag_default selected')
    ? 'new'
    : 'old'

/** Of a machine that can pretend to have GPUs: Linux on x64 with a C compiler. */
export const CAN_PRETEND = findSwiftShaderArchive() !== undefined && ['/usr/bin/cc', '/bin/cc'].some(existsSync)

export interface TestCard {
  name: string
  /** Hexadecimal: '41' is at 0000:41:00.0. */
  bus: string
}

/**
 * Environment of a machine that has these GPUs, each of which is SwiftShader in disguise. The process says on stderr
 * `opened 0000:41:00.0` when it opens a device there.
 *
 * @param folder for the drivers
 */
export async function machineWith(
  cards: readonly TestCard[],
  folder: string,
  { layer = false, swiftShader = false } = {},
): Promise<Record<string, string>> {
  const { dir } = await extractSwiftShader(findSwiftShaderArchive()!)
  const driver = join(folder, 'card_driver.so')
  const source = fileURLToPath(new URL('card_driver.c', import.meta.url))
  if (!existsSync(driver)) execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', driver, source, '-ldl'])
  const manifests = cards.map(({ name, bus }) => {
    const library = join(folder, `${name}_${bus}.so`)
    copyFileSync(driver, library)
    const manifest = join(folder, `${name}_${bus}.json`)
    const ICD = { library_path: library, api_version: '1.1.0' }
    writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD }))
    return manifest
  })
  if (swiftShader) manifests.push(join(dir, 'vk_swiftshader_icd.json'))
  const drivers = manifests.join(':') || '/dev/null'
  const { PATH, HOME } = process.env as Record<string, string>
  return {
    PATH,
    HOME,
    VK_DRIVER_FILES: drivers,
    VK_ICD_FILENAMES: drivers,
    CARD_DRIVER: join(dir, 'libvk_swiftshader.so'),
    LD_LIBRARY_PATH: [...(layer ? LIBRARIES : []), dir].join(':'),
    XDG_DATA_HOME: layer ? join(MESA!, 'share') : folder,
    XDG_DATA_DIRS: folder, // not this machine's layers
  }
}
