import { DitError, type DitErrorKind } from '../../src/runtime/errors.ts'

/** What a case gave: an answer as text that can be compared, or a clear error. */
export type Outcome =
  | { readonly answer: string }
  | { readonly error: { readonly kind: DitErrorKind; readonly message: string } }

/** What damaged files may be refused with. */
const KINDS: readonly DitErrorKind[] = ['bad-argument', 'not-found', 'corrupt', 'unsupported', 'out-of-memory']

/** Longer than this is no message for a person. */
const MOST_CHARACTERS = 2000

/** Runs a reader. @throws Error where the answer holds something not finite, or what was thrown is no clear error */
export async function outcomeOf(read: () => Promise<unknown>, names: readonly string[]): Promise<Outcome> {
  let answer: unknown
  try {
    answer = await read()
  } catch (error) {
    const fault = faultOf(error, names)
    if (fault === undefined) return { error: { kind: (error as DitError).kind, message: (error as DitError).message } }
    throw new Error(fault, { cause: error })
  }
  return { answer: digest(answer) }
}

/** Why this is no error for the person who meets it. */
function faultOf(error: unknown, names: readonly string[]): string | undefined {
  if (!(error instanceof DitError)) return `not a DitError: ${error instanceof Error ? error.stack : String(error)}`
  const { kind, message, hint } = error
  const shown = `${kind}: ${message.slice(0, 300)}`
  if (!KINDS.includes(kind)) return `an unexpected kind of error: ${shown}`
  if (message.length > MOST_CHARACTERS) return `a message of ${message.length} characters: ${shown}`
  if (/\bundefined\b|\[object |\n\s*at /.test(message)) return `a message for programmers: ${shown}`
  if (hint === '') return `an empty hint: ${shown}`
  if (!names.some((name) => message.includes(name))) return `the message names no file and no value: ${shown}`
  return undefined
}

/** Any answer as text: numbers must be finite, arrays of numbers become a hash of their bits. */
function digest(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`the answer holds ${value}`)
  if (ArrayBuffer.isView(value)) {
    const floats = value instanceof Float32Array || value instanceof Float64Array
    if (floats && !value.every(Number.isFinite)) throw new Error('the answer holds values that are not finite')
    return hash(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  }
  if (Array.isArray(value)) return `[${value.map(digest).join()}]`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value).map(([key, item]) => `${key}:${digest(item)}`)}}`
  }
  return JSON.stringify(value) ?? String(value)
}

/** FNV-1a, and the length. */
function hash(bytes: Uint8Array): string {
  let h = 0x811c9dc5
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193)
  return `${bytes.length} bytes #${(h >>> 0).toString(16)}`
}
