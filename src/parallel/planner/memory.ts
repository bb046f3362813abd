import type { ParallelConfig } from '../config/parallel_config.ts'
import { lengthOf, type Part, partsOf } from '../cost/part.ts'
import { sitesOf } from '../cost/work.ts'
import type { Workload } from '../cost/workload.ts'
import { crewGroup, type Ranks } from '../crew/ranks.ts'
import { short, sum, type Term } from './machine.ts'

/** What one device needs to draw the same alone, and how weights divide; bytes throughout. */
export interface MemorySizes {
  /** Weights that a rank loads of the transformer, and of the text encoder where it runs it. */
  readonly transformer: (ranks: Ranks) => number
  readonly textEncoder: (ranks: Ranks) => number
  /** 0 on ranks that do not decode. */
  readonly autoencoder: (ranks: Ranks) => number
  /** Activations of one device, the most at a time: of the text, of a step, of decoding. */
  readonly phases: { readonly text: number; readonly step: number; readonly decode: number }
}

/** What the rank that needs most takes on its device. */
export function memoryOf(
  config: ParallelConfig,
  workload: Workload,
  sizes: MemorySizes,
  speeds: readonly number[],
): { readonly bytes: number; readonly terms: readonly Term[] } {
  const ranks = partsOf(config, workload, speeds).map((part) => rankMemory(part, workload, sizes))
  const terms = ranks.reduce((a, b) => (sum(b) > sum(a) ? b : a))
  return { bytes: sum(terms), terms }
}

function rankMemory(part: Part, workload: Workload, sizes: MemorySizes): Term[] {
  const { mesh, config, batch, stage, work, heads, passes, at, keeps } = part
  const encodes = config.shardT5Encoder || crewGroup(part).index === 0
  const autoencoder = sizes.autoencoder(part)
  const decodes = autoencoder > 0
  const { operand: stored, stream } = workload.elementBytes
  const { headDim, textTokens = 0 } = workload
  const tokens = workload.grid.rows * workload.grid.columns
  const most = Math.max(...passes.map((pass) => pass.tokens[at]))
  const all = workload.pictures * (workload.guided ? 2 : 1)
  // Everybody has the text.
  const share = ((most + textTokens) / (tokens + textTokens)) * (batch / all)
  const weight = (what: string, value: number, formula: string) => ({ what: `weights of the ${what}`, value, formula })
  const terms = [
    weight(
      'transformer',
      sizes.transformer(part),
      `${lengthOf(stage)} of ${workload.blocks.length} blocks, ${heads} of ${workload.heads} heads${config.shardDit ? ', shared' : ''}`,
    ),
  ]
  if (encodes) terms.push(weight('text encoder', sizes.textEncoder(part), config.shardT5Encoder ? 'shared' : 'whole'))
  if (decodes) terms.push(weight('autoencoder', autoencoder, 'whole'))
  if (keeps || config.distrifusion) {
    const kept = config.distrifusion ? heads : part.ulyssesHeads[mesh.at('ulysses')]
    terms.push({
      what: 'kept keys and values',
      value: 2 * stored * batch * tokens * kept * headDim * sitesOf(work),
      formula: `2 x ${stored} B x ${batch} x ${tokens} tokens x ${kept} heads of ${headDim} x ${sitesOf(work)} attentions`,
    })
  }
  if (keeps && textTokens > 0) {
    const width = workload.heads * headDim
    terms.push({
      what: 'kept text',
      value: stream * batch * textTokens * width * lengthOf(stage),
      formula: `${stream} B x ${batch} x ${textTokens} tokens x ${width} values x ${lengthOf(stage)} blocks`,
    })
  }
  const { text, step, decode } = sizes.phases
  const phases = [
    { what: 'activations of the text phase', value: encodes ? text : 0, formula: 'as one device' },
    {
      what: 'activations of a step',
      value: step * share,
      formula: `${short(step)} B of one device x ${most + textTokens}/${tokens + textTokens} tokens x ${batch}/${all} of the batch`,
    },
    {
      what: 'activations of decoding',
      value: decodes ? decode / config.vaeParallelSize : 0,
      formula: `${short(decode)} B of one device / ${config.vaeParallelSize} ranks`,
    },
  ]
  // One phase comes after the other.
  return [...terms, phases.reduce((a, b) => (b.value > a.value ? b : a))]
}
