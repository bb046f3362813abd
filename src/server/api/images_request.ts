import { z } from 'zod'
import type { Limits } from '../limits.ts'
import { drawingFields, flag, guidanceScale, oneOf, optional, prompt, seed, text, wholeNumber } from './fields.ts'

/** Pictures of what is forming that a stream may have, as at OpenAI. */
const MOST_PARTIAL = 3

/** OpenAI's fields of POST /v1/images/generations (API reference, "Create image"), and diffusers' beside them. */
export function imagesRequest(limits: Limits) {
  const side = z.coerce.number().pipe(wholeNumber(1, limits.size))
  const what = `auto, or WIDTHxHEIGHT in pixels up to ${limits.size}x${limits.size}`
  const size = text(what)
    .regex(/^(auto|\d{1,5}x\d{1,5})$/, what)
    .refine((given) => given === 'auto' || given.split('x').every((one) => side.safeParse(one).success), what)
  const auto = (about: string) => optional(oneOf('auto'), about)
  return z.object({
    prompt,
    model: optional(text(), 'As GET /v1/models names it. Default: the one that is served.'),
    n: optional(wholeNumber(1, limits.n), 'Pictures. Default: 1.'),
    size: optional(size, "WIDTHxHEIGHT in pixels, or auto: the model's own size. Default: auto."),
    response_format: optional(
      oneOf('b64_json', 'url'),
      'The PNG itself as base64, or an address that gives it for a while. Default: b64_json.',
    ),
    stream: optional(flag(), 'Answer with server-sent events while it is drawn. Default: false.'),
    partial_images: optional(wholeNumber(0, MOST_PARTIAL), 'Pictures of what is forming, in a stream. Default: 0.'),
    seed: seed('Of the first picture; the next have the numbers after it. Default: at random.'),
    guidance_scale: guidanceScale(),
    ...drawingFields(limits),
    quality: auto('Only auto: num_inference_steps says how fine it becomes.'),
    background: optional(oneOf('auto', 'opaque'), 'Pictures are opaque.'),
    moderation: auto('Only auto: nothing is moderated.'),
    output_format: optional(oneOf('png'), 'Only png.'),
    user: optional(text(), 'Not used.'),
  })
}

export type ImagesRequest = z.output<ReturnType<typeof imagesRequest>>

/** Width and height; none for the model's own. */
export function sizeOf({ size }: Pick<ImagesRequest, 'size'>): { width?: number; height?: number } {
  if (size === undefined || size === 'auto') return {}
  const [width, height] = size.split('x').map(Number)
  return { width, height }
}
