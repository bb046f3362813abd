/** Where a message is put as it comes in. */
export interface Inbox {
  /** Memory for a message that begins to arrive: of whoever waits for it, or for the time being. */
  begin(from: number, tag: string, bytes: number): Arrival
}

export interface Arrival {
  readonly target: Uint8Array
  /** All bytes are there. */
  done(): void
}

/** Moves bytes between the threads or processes of ranks, a message at a time from one rank to another. */
export interface Wire {
  /** Begins to put what comes into the inbox. */
  open(inbox: Inbox): void
  /** Sends a message; settles when `bytes` may be written again. Calls for one rank do not overlap. */
  write(to: number, tag: string, bytes: Uint8Array): Promise<void>
  lastHeard(rank: number): number
  readonly failed: Promise<never>
  fail(error: unknown): void
  /** Ends; what was written has left before. */
  close(): Promise<void>
}
