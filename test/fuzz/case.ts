import { getHeapStatistics } from 'node:v8'
import type { Files } from './mutations/mutation.ts'
import { Random } from './random.ts'
import { SUBJECTS, subjectOf } from './subjects/index.ts'
import type { Subject } from './subjects/subject.ts'
import { type Outcome, outcomeOf } from './verdict.ts'

/** One damaged checkpoint: what a seed and a number always give. */
export interface Case {
  readonly subject: Subject
  readonly variant: string
  readonly path: string
  readonly what: string
  readonly neutral: boolean
  readonly files: Files
}

export interface Report {
  readonly subject: string
  /** 'answer' or the kind of the error. */
  readonly outcome: string
  readonly neutral: boolean
  /** What is wrong, for a person; undefined where the case holds. */
  readonly fault: string | undefined
}

/** Host memory that a case may take beside what it was given, in bytes. */
const MOST_MEMORY = 512 * 2 ** 20

/** `only`: the name of a subject, instead of a mix of all. */
export function makeCase(seed: number, number: number, only?: string): Case {
  const r = new Random(seed, number)
  const subject = only === undefined ? subjectOf(number) : SUBJECTS.find(({ name }) => name === only)
  if (!subject)
    throw new Error(`there is no subject ${only}: choose from ${SUBJECTS.map(({ name }) => name).join(', ')}`)
  const variant = r.pick(subject.variants)
  const files = subject.files(variant)
  const path = r.pick([...files.keys()])
  const { bytes, what, neutral } = subject.mutate(r, path, files.get(path) as Uint8Array)
  return { subject, variant, path, what, neutral, files: new Map(files).set(path, bytes) }
}

/** Runs a case twice, and holds its outcome against what the intact files give. */
export async function runCase({ subject, variant, path, neutral, files }: Case): Promise<Report> {
  const names = [...path.split('/'), ...NAMES, ...keysOf(subject.files(variant).get(path))]
  const report = { subject: subject.name, outcome: 'fault', neutral }
  const before = memory()
  try {
    const outcome = await outcomeOf(() => subject.run(files, variant), names)
    const grown = memory() - before
    if (grown > MOST_MEMORY) return { ...report, fault: `it took ${Math.round(grown / 2 ** 20)} MiB of memory` }
    const intact = await intactOutcome(subject, variant, names)
    if (neutral && show(outcome) !== show(intact)) {
      return { ...report, fault: `a change without meaning gave ${show(outcome)} instead of ${show(intact)}` }
    }
    const again = neutral ? outcome : await outcomeOf(() => subject.run(files, variant), names)
    if (show(again) !== show(outcome)) {
      return { ...report, fault: `the same files gave ${show(outcome)}, then ${show(again)}` }
    }
    return { ...report, outcome: 'answer' in outcome ? 'answer' : outcome.error.kind, fault: undefined }
  } catch (error) {
    return { ...report, fault: error instanceof Error ? error.message : String(error) }
  }
}

/** Beside the parts of a path, what messages may call the file that was changed, or what came of it. */
const NAMES = [
  'T5EncoderModel',
  'CLIPTextModel',
  'BertModel',
  'PixArtTransformer2DModel',
  'AutoencoderKL',
  'tokenizer',
  'scheduler',
  'Scheduler',
  'number of steps',
  'latents',
]

/** The names of options in an intact JSON file: a message may name the option. */
function keysOf(bytes: Uint8Array | undefined): string[] {
  return [...new TextDecoder().decode(bytes?.subarray(0, 10_000)).matchAll(/"([a-z_]{6,})"\s*:/g)].map(([, key]) => key)
}

const intact = new Map<string, Promise<Outcome>>()

function intactOutcome(subject: Subject, variant: string, names: readonly string[]): Promise<Outcome> {
  const key = `${subject.name}/${variant}`
  const known = intact.get(key) ?? outcomeOf(() => subject.run(subject.files(variant), variant), names)
  intact.set(key, known)
  return known
}

const show = (outcome: Outcome): string => JSON.stringify(outcome).slice(0, 2000)

/** The most that this process ever held, or what it holds in buffers that were never touched. */
function memory(): number {
  // Of all that tells of buffers this is the fastest: others look through the heap, which takes a millisecond.
  return Math.max(process.resourceUsage().maxRSS * 1024, getHeapStatistics().external_memory)
}
