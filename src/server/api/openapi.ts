import { z } from 'zod'
import type { Serving } from '../serving.ts'
import { generateRequest } from './generate_request.ts'
import { imagesRequest } from './images_request.ts'

/** The OpenAPI document: requests are described by the very schemas that check them. */
export function openApiDocument({ o: { limits, version, model, access } }: Serving) {
  const string = { type: 'string' } as const
  const integer = { type: 'integer' } as const
  const object = (properties: object) => ({ type: 'object', properties })
  const json = (schema: object) => ({ 'application/json': { schema } })
  const answer = (description: string, content?: object) => ({ description, ...(content && { content }) })
  const error = object({
    error: object({ message: string, type: string, code: string, param: string }),
    detail: string,
  })
  const refusals = {
    400: answer('The request is wrong: the message says what, and what was expected.', json(error)),
    ...(access.keys.length > 0 && { 401: answer('An API key is needed.', json(error)) }),
    413: answer(`The body is larger than ${limits.body} bytes.`, json(error)),
    429: {
      ...answer('The queue is full.', json(error)),
      headers: { 'Retry-After': { description: 'Seconds.', schema: integer } },
    },
    504: answer('The deadline of the request is over.', json(error)),
  }
  const posted = (schema: z.ZodObject) => ({
    required: true,
    content: json(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })),
  })
  const text = (description: string) => ({ get: { summary: description, responses: { 200: answer(description) } } })
  const images = object({
    created: integer,
    size: string,
    data: { type: 'array', items: object({ b64_json: string, url: string, seed: integer }) },
  })
  return {
    openapi: '3.1.0',
    info: { title: 'webdit', version, description: `Pictures from text, drawn by ${model.id}.` },
    ...(access.keys.length > 0 && {
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    }),
    paths: {
      '/v1/images/generations': {
        post: {
          summary: 'Draws pictures, as at OpenAI.',
          requestBody: posted(imagesRequest(limits)),
          responses: {
            200: answer('The pictures; with stream: true, events.', { ...json(images), 'text/event-stream': {} }),
            ...refusals,
          },
        },
      },
      '/generate': {
        post: {
          summary: "Draws a picture, as xDiT's HTTP service.",
          requestBody: posted(generateRequest(limits)),
          responses: {
            200: answer(
              'The picture, as base64.',
              json(object({ message: string, elapsed_time: string, output: string })),
            ),
            ...refusals,
          },
        },
      },
      '/v1/models': text('The model that is served.'),
      '/healthz': text('The process lives.'),
      '/readyz': text('The model is loaded and something can draw; 503 where not.'),
      '/metrics': text('Figures for Prometheus.'),
    },
  }
}
