import { totalmem } from 'node:os'
import { isSoftware } from '../../runtime/adapter.ts'
import { DitError } from '../../runtime/errors.ts'
import { describeAdapters } from '../../runtime/platform/adapters.node.ts'
import { listCards } from '../../runtime/platform/cards/list_cards.ts'
import {
  type Backend,
  currentRuntime,
  listAdapters,
  openPlatform,
  requestAdapter,
} from '../../runtime/platform/platform.ts'
import { probeSpeed } from '../../runtime/profiling/speed_probe.ts'
import type { CliIo, DeviceChoice } from '../command.ts'
import { availableMemory } from '../device.ts'
import { VERSION } from '../package_info.ts'
import type { AdapterFinding, BackendFinding, DeviceFinding, DoctorReport, Missing } from './report.ts'

/** What bounds the sizes of pictures and models. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const

const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix', 'timestamp-query']

/**
 * Looks at everything that a picture needs, and measures one backend in this process; a missing device is a finding,
 * not an error.
 */
export async function examine(io: CliIo, choice: DeviceChoice, backend: Backend): Promise<DoctorReport> {
  const vulkan = await describeAdapters(backend)
  const { kind, why } = vulkan.choice
  const finding: BackendFinding = {
    backend,
    implementation: null,
    choice: { kind, why },
    adapters: [],
    cards: [],
    device: null,
  }
  const report: DoctorReport = {
    webdit: VERSION,
    runtime: `${currentRuntime()} ${process.versions.deno ?? process.versions.node}`,
    system: `${process.platform} ${process.arch}`,
    memory: { total: totalmem(), available: availableMemory() },
    loader: vulkan.loader ?? null,
    drivers: vulkan.drivers,
    backends: [finding],
    missing: [...vulkan.missing],
  }
  if (kind === 'none') return report // `missing` tells what mends it
  const { cards, problems } = await listCards({ backend })
  finding.cards = cards
  report.missing.push(...problems)
  const chosen = { ...choice, backend }
  try {
    await examineAdapters(finding, chosen)
    finding.device = await examineDevice(io, chosen, report.missing)
  } catch (error) {
    if (!(error instanceof DitError) || error.kind === 'aborted') throw error
    report.missing.push({ what: `a device that computes (${error.message})`, mend: error.hint ?? 'run it again' })
  }
  return report
}

async function examineAdapters(finding: BackendFinding, { adapter, backend }: DeviceChoice): Promise<void> {
  const platform = await openPlatform({ adapter, backend })
  finding.implementation = platform.backend
  try {
    const used = describe(await requestAdapter(platform, { powerPreference: 'high-performance' }))
    const others = (await listAdapters(platform)).map(describe)
    const isUsed = (one: AdapterFinding) => JSON.stringify(one) === JSON.stringify(used)
    finding.adapters = [used, ...others.filter((one) => !isUsed(one))]
  } finally {
    platform.close()
  }
}

function describe({ info, limits, features }: GPUAdapter): AdapterFinding {
  const { vendor, architecture, device, description } = info
  return {
    vendor,
    architecture,
    device,
    description,
    software: isSoftware(info),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
    features: Object.fromEntries(FEATURES.map((name) => [name, features.has(name)])),
  }
}

async function examineDevice(io: CliIo, choice: DeviceChoice, missing: Missing[]): Promise<DeviceFinding> {
  const { device, close } = await io.openDevice(choice)
  try {
    const speed = await probeSpeed(device)
    if (!speed.correct) {
      missing.push({
        what: `a driver that computes right: a linear layer is off by ${speed.error}`,
        mend: 'update the graphics driver, or choose another GPU with --adapter',
      })
    }
    return { name: device.name, tier: device.tier, speed }
  } finally {
    close()
  }
}
