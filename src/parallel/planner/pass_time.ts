import { distrifusionBytes } from '../cost/distrifusion.ts'
import { noiseBytes } from '../cost/noise.ts'
import { lengthOf, type Part, type Pass } from '../cost/part.ts'
import { ringBytes } from '../cost/ring.ts'
import { tensorBytes } from '../cost/tensor.ts'
import { ulyssesBytes } from '../cost/ulysses.ts'
import { weightBytes } from '../cost/weights.ts'
import { sitesOf } from '../cost/work.ts'
import { type Bytes, total, type Workload } from '../cost/workload.ts'
import { computing } from './computing.ts'
import { type Machine, short, type Term } from './machine.ts'

/**
 * Seconds that one rank takes for one pass of a piece through its blocks: what it computes, and what it waits for
 * meanwhile. Transfers that a method lets run beside computing count by what is left of them.
 */
export function passTime(part: Part, pass: Pass, workload: Workload, machine: Machine): Term[] {
  const { mesh, batch, stage, work, config, keeps, tail } = part
  if (batch === 0) return []
  const alone: Part = { ...part, passes: [{ ...pass, times: 1 }] }
  const bytesOf = (formula: (part: Part, workload: Workload) => Bytes) => formula(alone, workload)
  const degree = (axis: 'ulysses' | 'ring' | 'tensor') => mesh.degree(axis)

  const computed = computing(part, pass, workload, machine)
  const terms: Term[] = [...computed]
  const exposed = (what: string, bytes: number, rounds: number, hidden?: Term): void => {
    if (rounds === 0) return
    const sent = bytes / machine.bandwidth + rounds * machine.latency
    const formula = `${short(bytes)} B / ${short(machine.bandwidth)} B/s + ${rounds} x ${short(machine.latency)} s`
    if (!hidden) terms.push({ what, value: sent, formula })
    else {
      const value = Math.max(0, sent - hidden.value)
      terms.push({
        what: `${what}, beside ${hidden.what}`,
        value,
        formula: `max(0, ${formula} - ${short(hidden.value)} s)`,
      })
    }
  }

  const [linear, attention] = computed
  const sites = sitesOf(work)
  const sums = work.sums.image + work.sums.text
  const whole = { what: 'computing', value: linear.value + attention.value, formula: '' }
  const exchanges = config.distrifusion ? 0 : degree('ulysses') > 1 ? 2 * sites : 0
  exposed('ulysses', sumOf(bytesOf(ulyssesBytes)), exchanges)
  exposed('tensor', sumOf(bytesOf(tensorBytes)), degree('tensor') > 1 ? 2 * sums : 0)
  const ring = bytesOf(ringBytes)
  const turns = config.distrifusion || degree('ring') === 1 ? 0 : degree('ring') - 1
  if (keeps) exposed('ring', sumOf(ring), turns > 0 ? sites : 0)
  else {
    const share = { ...attention, value: (attention.value * turns) / degree('ring') }
    exposed('ring', sumOf(ring), turns * sites, share)
  }
  if (config.distrifusion && degree('ulysses') * degree('ring') > 1) {
    const { 'distri.kv': kv = 0 } = distrifusionBytes(part, workload)
    exposed('distrifusion', kv / workload.steps, sites, whole)
  }
  const { weights = 0 } = bytesOf(weightBytes)
  const passes = 1 + (workload.passesOfText ?? 0)
  exposed('weights', weights / passes, weights > 0 ? lengthOf(stage) : 0, whole)
  if (tail) {
    const noise = bytesOf(noiseBytes)
    exposed('noise', sumOf(noise), Object.values(noise).filter((bytes) => bytes > 0).length)
  }
  return terms
}

const sumOf = (bytes: Bytes): number => total(Object.values(bytes))
