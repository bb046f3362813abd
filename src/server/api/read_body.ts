import type { z } from 'zod'
import { nearest } from '../../runtime/command_line/parse_args.ts'
import { Refusal } from '../refusal.ts'

/** Characters of a wrong value that an error repeats. */
const SHOWN = 80

/**
 * A request's body by its schema.
 * @throws Refusal 400 for what is no JSON, and for the first field that is wrong or unknown
 */
export function readBody<T extends z.ZodObject>(schema: T, bytes: ArrayBuffer): z.output<T> {
  const body = parse(bytes)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal(400, 'bad_body', `the body is ${shown(body)}, expected a JSON object with the request's fields`)
  }
  // Before all else: a field misspelt would be left out in silence.
  for (const name of Object.keys(body)) if (!Object.hasOwn(schema.shape, name)) throw unknownField(name, schema)
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [{ path, message }] = result.error.issues
  const param = String(path[0])
  const value = (body as Record<string, unknown>)[param]
  const is = value === undefined ? 'is missing' : `is ${shown(value)}`
  throw new Refusal(400, 'bad_value', `${param} ${is}, expected ${message}`, { param })
}

function parse(bytes: ArrayBuffer): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Refusal(400, 'bad_body', 'the body is not UTF-8, expected a JSON object in UTF-8', { cause })
  }
  if (text.trim() === '') throw new Refusal(400, 'bad_body', 'the body is empty, expected a JSON object')
  try {
    return JSON.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cut(cause.message) : 'it cannot be read'
    throw new Refusal(400, 'bad_body', `the body is no JSON: ${why}`, { cause })
  }
}

function unknownField(name: string, schema: z.ZodObject): Refusal {
  const names = Object.keys(schema.shape)
  const near = nearest(name.slice(0, SHOWN), names)
  const message = `there is no field ${shown(name)} in the body${near ? `: did you mean ${near}?` : ''}`
  return new Refusal(400, 'unknown_parameter', message, {
    hint: `The fields are ${names.join(', ')}.`,
    param: cut(name),
  })
}

const cut = (text: string): string => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)

const shown = (value: unknown): string => {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return cut(JSON.stringify(typeof value === 'string' ? cut(value) : value) ?? String(value))
}
