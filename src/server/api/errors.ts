import { DitError, type DitErrorKind } from '../../runtime/errors.ts'
import { Refusal } from '../refusal.ts'
import { OPTION_NAMES, snakeCase } from './picture_request.ts'

/** What the pipelines' failures are to a client. */
const STATUS: Partial<Record<DitErrorKind, Refusal['status']>> = {
  'bad-argument': 400,
  unsupported: 400,
  'out-of-memory': 400,
  'device-lost': 503,
}

/** Seconds in which a device that was lost may be open again. */
const REOPENED = 5

/** Anything that went wrong as an answer; what is no client's fault tells no more than that. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof DitError)) {
    return new Refusal(500, 'internal', 'something went wrong inside webdit', { cause: error })
  }
  const status = STATUS[error.kind] ?? 500
  return new Refusal(status, error.kind.replaceAll('-', '_'), asFields(error.message), {
    hint: error.hint && asFields(error.hint),
    retryAfter: status === 503 ? REOPENED : undefined,
    cause: error,
  })
}

/** Pipelines name options in camelCase, requests in snake_case. */
const OPTIONS = new RegExp(`\\b(${OPTION_NAMES.join('|')})\\b`, 'g')
const asFields = (text: string): string => text.replace(OPTIONS, snakeCase)

/** The body of an error, as OpenAI has it; `detail` is where clients of xDiT's service look. */
export function errorBody({ status, code, message, hint, param }: Refusal) {
  const said = hint ? `${message}${/[.?!]$/.test(message) ? '' : '.'} ${hint}` : message
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error'
  return { error: { message: said, type, code, param: param ?? null }, detail: said }
}
