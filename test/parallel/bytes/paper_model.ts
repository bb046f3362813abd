import { join } from 'node:path'
import { expect } from 'vitest'
import type { ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { bytesSent, type Workload } from '../../../src/parallel/cost/bytes.ts'
import { longestTexts } from '../../../src/pipelines/memory_plan/longest_texts.ts'
import { paperSource } from '../../../src/pipelines/memory_plan/paper_source.ts'
import { pipelineClass } from '../../../src/pipelines/pipeline_class.ts'
import { startLocalTeam } from '../../../src/pipelines/team/local_team.ts'
import type { TeamOptions } from '../../../src/pipelines/team/team.ts'
import type { PromptTokenizer } from '../../../src/pipelines/text.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import { GOLDEN } from '../../support/golden_io.ts'

/** A model of sizes alone: for devices on paper. */
export interface PaperModel {
  readonly source: Source
  /** Every text is as long as it can be. */
  readonly tokenizers: Readonly<Record<string, PromptTokenizer>>
}

/** A small pipeline of the fixtures with another transformer, which has no weights: of sizes that nothing divides. */
export async function paperModel(golden: string, transformer: Readonly<Record<string, unknown>>): Promise<PaperModel> {
  const path = 'transformer/config.json'
  const folder = await openFolder(join(GOLDEN, golden))
  const config = JSON.stringify({ ...JSON.parse(await folder.readText(path)), ...transformer })
  const { networks, tokenizers } = await pipelineClass(folder)
  const changed: Source = {
    ...folder,
    readText: async (asked, most) => (asked === path ? config : folder.readText(asked, most)),
    list: async (dir) => (await folder.list!(dir)).filter((file) => dir !== 'transformer' || file.endsWith('.json')),
  }
  const source = await paperSource(changed, networks)
  return { source, tokenizers: await longestTexts(source, tokenizers) }
}

/**
 * Draws on a device on paper, and expects that every rank sends what the formulas say, tag by tag, and nothing else.
 *
 * @param tags all that somebody sends something with
 */
export async function checkSent(
  { source, tokenizers }: PaperModel,
  device: Device,
  mesh: ParallelConfig,
  prompts: string[],
  call: TeamOptions,
  workload: Workload,
  tags: readonly string[],
): Promise<void> {
  const team = await startLocalTeam(source, mesh, { device, tokenizers })
  try {
    await team.run(prompts, { ...call, seed: 1 })
    const counted = (await team.sent()).map((sent) => Object.fromEntries(sent))
    expect(bytesSent(mesh, workload).map((sent) => Object.fromEntries(sent))).toEqual(counted)
    expect(new Set(counted.flatMap((sent) => Object.keys(sent)))).toEqual(new Set(tags))
  } finally {
    await team.close()
  }
}
