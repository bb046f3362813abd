import { totalmem } from 'node:os'
import { isSoftware } from '../../runtime/adapter.ts'
import { DitError } from '../../runtime/errors.ts'
import { describeAdapters } from '../../runtime/platform/adapters.node.ts'
import { currentRuntime, openPlatform, requestAdapter } from '../../runtime/platform/platform.ts'
import type { CliIo, DeviceChoice } from '../command.ts'
import { availableMemory } from '../device.ts'
import { VERSION } from '../package_info.ts'
import { probeSpeed, type SpeedProbe } from './speed_probe.ts'

/** What `doctor` finds; `--json` prints it as it is. */
export interface DoctorReport {
  webdit: string
  runtime: string
  system: string
  /** Bytes. */
  memory: { total: number; available: number }
  /** Which way to a device is taken, and why. */
  choice: { kind: string; why: string }
  loader: string | null
  drivers: string[]
  /** 'dawn/vulkan'; null where the runtime has no WebGPU. */
  backend: string | null
  /** The first is the one that is used. */
  adapters: AdapterFinding[]
  /** The first adapter, opened; null where none opens. */
  device: DeviceFinding | null
  missing: { what: string; mend: string }[]
}

interface AdapterFinding {
  vendor: string
  architecture: string
  device: string
  description: string
  software: boolean
  limits: Record<string, number>
  /** Those that make webdit faster, and whether they are there. */
  features: Record<string, boolean>
}

interface DeviceFinding {
  name: string
  tier: string
  speed: SpeedProbe
}

/** What bounds the sizes of pictures and models. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const

const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix', 'timestamp-query']

/** Looks at everything that a picture needs, and measures; a missing device is a finding, not an error. */
export async function examine(io: CliIo, choice: DeviceChoice): Promise<DoctorReport> {
  const vulkan = await describeAdapters()
  const report: DoctorReport = {
    webdit: VERSION,
    runtime: `${currentRuntime()} ${process.versions.deno ?? process.versions.node}`,
    system: `${process.platform} ${process.arch}`,
    memory: { total: totalmem(), available: availableMemory() },
    choice: { kind: vulkan.choice.kind, why: vulkan.choice.why },
    loader: vulkan.loader ?? null,
    drivers: vulkan.drivers,
    backend: null,
    adapters: [],
    device: null,
    missing: [...vulkan.missing],
  }
  if (vulkan.choice.kind === 'none') return report // `missing` tells what mends it
  try {
    await listAdapters(report, choice)
    report.device = await examineDevice(report, io, choice)
  } catch (error) {
    if (!(error instanceof DitError) || error.kind === 'aborted') throw error
    report.missing.push({ what: `a device that computes (${error.message})`, mend: error.hint ?? 'run it again' })
  }
  return report
}

/** Dawn tells no list; each preference may name another adapter. */
async function listAdapters(report: DoctorReport, { adapter }: DeviceChoice): Promise<void> {
  const platform = await openPlatform({ adapter })
  report.backend = platform.backend
  try {
    const used = await requestAdapter(platform, { powerPreference: 'high-performance' })
    const others: GPURequestAdapterOptions[] = [{ powerPreference: 'low-power' }, { forceFallbackAdapter: true }]
    const found = await Promise.all(others.map((other) => platform.gpu.requestAdapter(other).catch(() => null)))
    const adapters = [used, ...found.filter((other) => other !== null)].map(describe)
    const isFirst = (one: AdapterFinding, i: number) =>
      adapters.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === i
    report.adapters = adapters.filter(isFirst)
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

async function examineDevice(report: DoctorReport, io: CliIo, choice: DeviceChoice): Promise<DeviceFinding> {
  const { device, close } = await io.openDevice(choice)
  try {
    const speed = await probeSpeed(device)
    if (!speed.correct) {
      report.missing.push({
        what: `a driver that computes right: a linear layer is off by ${speed.error}`,
        mend: 'update the graphics driver, or choose another GPU with --adapter',
      })
    }
    return { name: device.name, tier: device.tier, speed }
  } finally {
    close()
  }
}
