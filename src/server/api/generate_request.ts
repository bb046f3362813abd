import { z } from 'zod'
import type { Limits } from '../limits.ts'
import { drawingFields, guidanceScale, optional, prompt, seed, text, wholeNumber } from './fields.ts'

/** The seed of xDiT's service where none is given. */
export const XDIT_SEED = 42

/** The fields of xDiT's HTTP service (entrypoints/launch.py, GenerateRequest), and diffusers' beside them. */
export const generateRequest = (limits: Limits) =>
  z.object({
    prompt,
    seed: seed(`Default: ${XDIT_SEED}.`),
    cfg: guidanceScale("The guidance scale. Default: the pipeline's."),
    height: optional(wholeNumber(1, limits.size), "Pixels. Default: the model's own size."),
    width: optional(wholeNumber(1, limits.size), "Pixels. Default: the model's own size."),
    ...drawingFields(limits),
    save_disk_path: optional(
      text(),
      'Refused: a request does not say where files go. The picture comes in the answer.',
    ),
  })

export type GenerateRequest = z.output<ReturnType<typeof generateRequest>>
