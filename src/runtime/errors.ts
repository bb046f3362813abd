/** What kind of failure a DitError reports; callers branch on this, people read the message. */
export type DitErrorKind =
  | 'bad-argument' // a value the caller gave is outside what is allowed
  | 'not-found' // a file, folder, component or tensor that should be there is not
  | 'corrupt' // bytes are there but are not what their format promises
  | 'unsupported' // valid, but webdit cannot do it (yet, or on this device)
  | 'no-adapter' // no WebGPU adapter could be opened
  | 'out-of-memory' // the device or the stated --memory cannot hold it
  | 'device-lost' // the device went away
  | 'validation' // the device refused a command: a fault of webdit's own
  | 'io' // the system refused to read or write
  | 'aborted' // the caller's AbortSignal fired

/**
 * An error meant for the person who meets it. `message` says what was wrong (with the value) and what was
 * expected; `hint` says what to do. Faces print both and nothing else.
 */
export class DitError extends Error {
  override name = 'DitError'
  readonly kind: DitErrorKind
  readonly hint: string | undefined

  constructor(kind: DitErrorKind, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.hint = hint
  }
}
