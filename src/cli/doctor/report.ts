import type { Card } from '../../runtime/platform/cards/card.ts'
import type { Backend } from '../../runtime/platform/platform.ts'
import type { SpeedProbe } from '../../runtime/profiling/speed_probe.ts'

/** What `doctor` finds; `--json` prints it as it is. */
export interface DoctorReport {
  webdit: string
  runtime: string
  system: string
  /** Bytes. */
  memory: { total: number; available: number }
  loader: string | null
  drivers: string[]
  /** The first is the one that is used by default. */
  backends: BackendFinding[]
  missing: Missing[]
}

export interface BackendFinding {
  /** As --backend names it. */
  backend: Backend
  /** 'dawn/vulkan'; null where it does not load. */
  implementation: string | null
  /** Which way to a device is taken, and why. */
  choice: { kind: string; why: string }
  /** The first is the one that is used. */
  adapters: AdapterFinding[]
  /** The devices that ranks can be pinned to. */
  cards: readonly Card[]
  /** The first adapter, opened; null where none opens. */
  device: DeviceFinding | null
}

export interface AdapterFinding {
  vendor: string
  architecture: string
  device: string
  description: string
  software: boolean
  limits: Record<string, number>
  /** Those that make webdit faster, and whether they are there. */
  features: Record<string, boolean>
}

export interface DeviceFinding {
  name: string
  tier: string
  speed: SpeedProbe
}

export interface Missing {
  what: string
  mend: string
}
