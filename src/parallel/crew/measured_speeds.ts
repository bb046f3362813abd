import type { Device } from '../../runtime/device.ts'
import { probeSpeed } from '../../runtime/profiling/speed_probe.ts'
import { Recorder } from '../../runtime/recorder.ts'
import { allGather } from '../fabric/collectives.ts'
import type { Ranks } from './ranks.ts'

/** Devices that differ by less are taken as equal: so much do two measurements of one device differ. */
const NOISE = 0.15

/** The speed of every rank's device at linear layers, in GFLOP/s, as all ranks measured it at the same time. */
export async function measuredSpeeds(device: Device, { mesh, fabric }: Ranks): Promise<number[]> {
  const { gflops } = await probeSpeed(device)
  if (!fabric || mesh.size === 1) return [gflops]
  const g = new Recorder(device)
  const group = { ranks: Array.from({ length: mesh.size }, (_, rank) => rank), index: mesh.rank }
  const specs = group.ranks.map(() => [{ shape: [1], dtype: 'f32' as const }])
  try {
    const all = await allGather(g, fabric, group, 'speeds', [g.upload(new Float32Array([gflops]), [1], 'speed')], specs)
    const speeds: number[] = []
    for (const [speed] of all) speeds.push((await g.read(speed))[0])
    return evened(speeds)
  } finally {
    g.reset()
  }
}

/** Speeds within the noise of the greatest become that. */
export function evened(speeds: readonly number[]): number[] {
  const most = Math.max(...speeds)
  return speeds.map((speed) => (speed >= most * (1 - NOISE) ? most : speed))
}
