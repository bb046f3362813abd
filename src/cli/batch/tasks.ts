import { createHash } from 'node:crypto'
import { checkDividedRequest } from '../../pipelines/divided_request.ts'
import type { ModelFacts } from '../../pipelines/model_facts.ts'
import { checkOwnOptions } from '../../pipelines/own_options.ts'
import { sizeDrawn } from '../../pipelines/picture_size.ts'
import { DitError } from '../../runtime/errors.ts'
import { UsageError } from '../command.ts'
import type { Mesh } from '../generate/mesh.ts'
import { fileStem } from '../generate/output_files.ts'
import type { Settings } from '../generate/settings.ts'
import type { Row } from './dataset.ts'

/** A row that is to be drawn. */
export interface Task {
  readonly row: Row
  readonly seed: number
  /** Texts and all else, with what the flags say where the row says nothing. */
  readonly call: Settings['call']
  /** Equal for what can be drawn together. */
  readonly shape: string
  /** Of everything that decides on the picture. */
  readonly digest: string
  /** The file's name. */
  readonly file: string
}

/** Digits of a row's number in its file's name, so that files sort as the table does. */
const DIGITS = 5

const TEXTS = ['prompt2', 'prompt3', 'negativePrompt', 'negativePrompt2', 'negativePrompt3'] as const

/** What the flags and each row say together. @throws UsageError for flags that have a text for each of several prompts */
export function tasksOf(rows: readonly Row[], { call: given }: Settings, seed: number): Task[] {
  for (const name of TEXTS) {
    const texts = given[name]
    if (Array.isArray(texts) && texts.length > 1) {
      throw new UsageError(`${name} has ${texts.length} texts`, 'Give one for all rows, or a column of the table.')
    }
  }
  return rows.map((row) => {
    const call: Settings['call'] = {
      ...given,
      prompt2: row.prompt_2 ?? only(given.prompt2),
      prompt3: row.prompt_3 ?? only(given.prompt3),
      negativePrompt: row.negative_prompt ?? only(given.negativePrompt),
      negativePrompt2: only(given.negativePrompt2),
      negativePrompt3: only(given.negativePrompt3),
      height: row.height ?? given.height,
      width: row.width ?? given.width,
      numInferenceSteps: row.num_inference_steps ?? given.numInferenceSteps,
      guidanceScale: row.guidance_scale ?? given.guidanceScale,
      seed: row.seed ?? seed,
    }
    const texts = TEXTS.filter((name) => call[name] !== undefined)
    const shared = Object.entries({ ...call, seed: undefined }).filter(
      ([name]) => !texts.includes(name as (typeof TEXTS)[number]),
    )
    const digest = createHash('sha256')
      .update(JSON.stringify([row.prompt, call]))
      .digest('hex')
    const file = `${String(row.number).padStart(DIGITS, '0')}-${fileStem(row.prompt, call.seed as number)}.png`
    return { row, seed: call.seed as number, call, shape: JSON.stringify([shared, texts]), digest, file }
  })
}

const only = (texts: string | string[] | undefined): string | undefined => (Array.isArray(texts) ? texts[0] : texts)

/** Everything that can be said against rows before the first is drawn. @throws DitError naming the line */
export function checkTasks(tasks: readonly Task[], facts: ModelFacts, { config, devices }: Mesh): void {
  for (const { call, row } of tasks) {
    try {
      checkOwnOptions(facts.className, facts.family, call)
      if (config) checkDividedRequest(config, facts, call, devices)
      sizeDrawn(call, facts)
    } catch (error) {
      if (!(error instanceof DitError)) throw error
      throw new DitError(error.kind, `line ${row.line} of the table: ${error.message}`, error.hint, { cause: error })
    }
  }
}

/** The options of a call that draws tasks of one shape, each from its own seed. */
export function callOf(tasks: readonly Task[]): Settings['call'] {
  const call: Settings['call'] = { ...tasks[0].call, seed: tasks.map(({ seed }) => seed) }
  for (const name of TEXTS) {
    if (call[name] !== undefined) call[name] = tasks.map((task) => task.call[name] as string)
  }
  return call
}

/** The first task, and up to `most` in all that can be drawn with it. */
export function together(tasks: readonly Task[], most: number): Task[] {
  return tasks.filter(({ shape }) => shape === tasks[0].shape).slice(0, most)
}
