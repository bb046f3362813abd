import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Backend } from './platform.ts'
import { chooseVulkan, type VulkanChoice } from './software_vulkan.node.ts'
import { findSwiftShaderArchive, SWIFTSHADER_PACKAGE } from './swiftshader.node.ts'
import { list, readText } from './system_files.node.ts'

/** What `webdit doctor` tells of this system's way to a GPU. Only Linux has a Vulkan loader and drivers to find. */
export interface AdapterReport {
  choice: VulkanChoice
  /** Path of the system's libvulkan.so.1. */
  loader?: string
  /** Driver manifests (ICDs) that a loader would read. */
  drivers: string[]
  /** What is not there, each with the command that mends it. */
  missing: { what: string; mend: string }[]
}

/** Looks for Vulkan's loader and drivers, and tells which device the backend would use and why. */
export async function describeAdapters(backend?: Backend): Promise<AdapterReport> {
  const choice = await chooseVulkan(backend)
  if (process.platform !== 'linux') return { choice, drivers: [], missing: [] }
  // In a process that the fallback started, these are webdit's own and say nothing of the system.
  const { WEBDIT_SOFTWARE_VULKAN, WEBDIT_SYSTEM_DRIVERS, VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env
  const own = WEBDIT_SOFTWARE_VULKAN && VK_ICD_FILENAMES ? dirname(VK_ICD_FILENAMES) : undefined
  const loader = findLoader(own)
  const drivers = findDrivers((own ? WEBDIT_SYSTEM_DRIVERS : (VK_DRIVER_FILES ?? VK_ICD_FILENAMES)) ?? '')
  return { choice, loader, drivers, missing: findMissing(loader, drivers, choice) }
}

function findMissing(loader: string | undefined, drivers: string[], choice: VulkanChoice): AdapterReport['missing'] {
  const missing: AdapterReport['missing'] = []
  if (!loader) missing.push({ what: "Vulkan's loader, libvulkan.so.1", mend: 'apt-get install libvulkan1' })
  if (isNvidia() && !drivers.some((file) => file.includes('nvidia'))) {
    missing.push({
      what: "the NVIDIA card's Vulkan driver, nvidia_icd.json",
      mend: 'apt-get install libnvidia-gl-<driver version>; in a container: docker run -e NVIDIA_DRIVER_CAPABILITIES=all',
    })
  } else if (drivers.length === 0) {
    missing.push({ what: 'a Vulkan driver', mend: 'apt-get install mesa-vulkan-drivers' })
  } else if (choice.kind === 'swiftshader' || choice.kind === 'none') {
    // Dawn refuses the lavapipe of Mesa 22.3, for one, which Debian 12 has.
    const mend = 'apt-get install --only-upgrade mesa-vulkan-drivers (Mesa 25 or later)'
    missing.push({ what: 'a Vulkan driver that opens a device; those found do not', mend })
  }
  const locked = lockedRenderNodes()
  if (locked.length > 0) {
    missing.push({ what: `the right to use ${locked.join(', ')}`, mend: 'usermod -aG render,video $USER' })
  }
  if (choice.kind === 'none' && !findSwiftShaderArchive()) {
    missing.push({ what: 'SwiftShader, to compute without a GPU', mend: `npm i -D ${SWIFTSHADER_PACKAGE}` })
  }
  return missing
}

function findLoader(own: string | undefined): string | undefined {
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((dir) => dir && dir !== own)
  const candidates = folders.map((dir) => join(dir, 'libvulkan.so.1'))
  // The linker's cache is binary, and holds each library's path as a C string.
  candidates.push(...(readText('/etc/ld.so.cache').match(/\/[^\0]*\/libvulkan\.so\.1(?=\0)/g) ?? []))
  for (const dir of ['/usr/local/lib', '/usr/lib64', '/usr/lib', '/lib']) candidates.push(join(dir, 'libvulkan.so.1'))
  return candidates.find((file) => isFile(file))
}

/** Vulkan loader, "driver discovery on Linux": an explicit list replaces the folders. */
function findDrivers(explicit: string): string[] {
  const listed = explicit.split(':').filter(Boolean)
  if (listed.length > 0) return listed.filter((file) => isFile(file))
  const { XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = process.env
  const roots = [
    XDG_CONFIG_HOME || join(homedir(), '.config'),
    ...(XDG_CONFIG_DIRS || '/etc/xdg').split(':'),
    '/etc',
    XDG_DATA_HOME || join(homedir(), '.local/share'),
    ...(XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':'),
  ]
  const folders = [...new Set(roots.map((root) => join(root, 'vulkan/icd.d')))]
  return folders.flatMap((folder) =>
    list(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name)),
  )
}

function isNvidia(): boolean {
  return existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidiactl')
}

function lockedRenderNodes(): string[] {
  const nodes = list('/dev/dri').filter((name) => name.startsWith('renderD'))
  return nodes
    .map((name) => `/dev/dri/${name}`)
    .filter((node) => {
      try {
        accessSync(node, constants.R_OK | constants.W_OK)
        return false
      } catch {
        return true
      }
    })
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
}
