import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { paperSource } from '../../src/pipelines/memory_plan/paper_source.ts'
import { pipelineClass } from '../../src/pipelines/pipeline_class.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { GOLDEN } from './golden_io.ts'

/**
 * The pipeline of a golden case with other numbers of layers, and random weights, the same ones each time.
 *
 * @param changes what is different in config.json, by folders
 */
export async function deepModel(caseName: string, changes: Record<string, object>): Promise<Source> {
  const folder = join(GOLDEN, caseName)
  const files = new Map<string, Uint8Array>()
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (/\.(json|model|txt)$/.test(path)) files.set(path, readFileSync(join(folder, path)))
  }
  for (const [component, change] of Object.entries(changes)) {
    const path = `${component}/config.json`
    const config = { ...JSON.parse(new TextDecoder().decode(files.get(path))), ...change }
    files.set(path, new TextEncoder().encode(JSON.stringify(config)))
  }
  const source = memorySource(files, `deep ${caseName}`)
  const { networks } = await pipelineClass(source)
  return { ...(await paperSource(source, networks)), random: true }
}
