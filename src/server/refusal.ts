/** What a client hears instead of a picture: an HTTP status (499 where it has left, and hears nothing), what was wrong, and what to do. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: 400 | 401 | 403 | 404 | 413 | 415 | 429 | 499 | 500 | 503 | 504
  /** A word for programs. */
  readonly code: string
  readonly hint: string | undefined
  /** The field of the request that is wrong. */
  readonly param: string | undefined
  /** Seconds after which another try may do. */
  readonly retryAfter: number | undefined

  constructor(
    status: Refusal['status'],
    code: string,
    message: string,
    about: { hint?: string; param?: string; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: about.cause })
    this.status = status
    this.code = code
    this.hint = about.hint
    this.param = about.param
    this.retryAfter = about.retryAfter
  }
}
