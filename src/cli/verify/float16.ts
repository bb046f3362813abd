import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { parseJson } from '../../runtime/json.ts'
import { isRecord } from './case.ts'
import type { Tolerance } from './compare.ts'

/** What diffusers in float16 loses on an output, as test/fixtures/diffusers/float16.py measured it. */
export interface HalfError {
  readonly rel_l2?: number
  /** dB. */
  readonly psnr?: number
}

/** Of a case, by run and output. */
export type HalfErrors = Readonly<Record<string, Readonly<Record<string, HalfError>>>>

/** The file beside cases that tells what float16 costs diffusers. */
const FILE = 'float16.json'

/** What the f16 tier may lose more than diffusers in float16, and the PSNR that no picture may be below. */
const ALLOWANCE = 1 // dB
const LEAST_PSNR = 35 // dB

/** What `dir` tells of that case; undefined where nobody measured it. @throws DitError 'corrupt' */
export async function readHalfErrors(dir: string, name: string): Promise<HalfErrors | undefined> {
  const path = join(dir, FILE)
  const text = await fs.readFile(path, 'utf8').catch(() => undefined)
  const json = text === undefined ? undefined : parseJson(text, path)
  const cases = isRecord(json) && isRecord(json.cases) ? json.cases : {}
  return Object.hasOwn(cases, name) ? (cases[name] as HalfErrors) : undefined
}

/** What an output may be off in the f16 tier, in the metric that it is measured by in float32. */
export function halfTolerance(stated: Tolerance, measured: HalfError | undefined): Tolerance {
  const { metric } = stated
  if (metric === 'psnr' && measured?.psnr) return { metric, limit: Math.max(measured.psnr - ALLOWANCE, LEAST_PSNR) }
  if (metric === 'rel_l2' && measured?.rel_l2) return { metric, limit: measured.rel_l2 * 10 ** (ALLOWANCE / 20) }
  return stated
}
