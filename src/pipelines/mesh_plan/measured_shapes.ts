import type { Source } from '../../runtime/weights/source.ts'
import { modelFacts } from '../model_facts.ts'
import { openModel } from '../open_model.ts'
import type { PipelineOptions } from '../options.ts'
import { sizeDrawn } from '../picture_size.ts'
import type { MeasuredShapes } from './measure_rank.ts'

/** The shapes of a model's layers for a request: what devices are to be measured on. */
export async function measuredShapes(model: string | Source, call: PipelineOptions): Promise<MeasuredShapes> {
  const source = typeof model === 'string' ? await openModel(model) : model
  try {
    const facts = await modelFacts(source)
    const { heads, headDim } = facts
    const { grid } = sizeDrawn(call, facts)
    return { tokens: grid.rows * grid.columns, heads, headDim }
  } finally {
    if (typeof model === 'string') await source.close()
  }
}
