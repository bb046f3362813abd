import { DitError, type DitErrorKind } from '../../../runtime/errors.ts'

/** An error as text that crosses to other threads and processes. */
export const failureText = (error: unknown): string => {
  const { kind, message, hint } =
    error instanceof DitError
      ? error
      : { kind: 'device-lost', message: error instanceof Error ? error.message : String(error), hint: undefined }
  return JSON.stringify({ kind, message, hint })
}

export function failureOf(text: string): DitError {
  const { kind, message, hint } = JSON.parse(text) as { kind: DitErrorKind; message: string; hint?: string }
  return new DitError(kind, message, hint)
}

/** A promise that never fulfils, and whoever rejects it first. */
export class FirstFailure {
  readonly failed: Promise<never>
  reject: (error: unknown) => void = () => {}

  constructor() {
    this.failed = new Promise((_, reject) => {
      this.reject = reject
    })
    this.failed.catch(() => {}) // heard by those who wait for something
  }
}

/** How often a rank tells that it lives, in ms. */
export const HEARTBEAT = 250
