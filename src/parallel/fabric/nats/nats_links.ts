import type { ServerAccess } from './connection.node.ts'

/** Where ranks on several machines find each other: by subjects of a NATS server. */
export interface NatsLinks {
  readonly access: ServerAccess
  /** Begins the subjects, and is no other mesh's: letters, digits, dots and dashes. */
  readonly mesh: string
  readonly size: number
  /** The ranks that are reached this way, where others are on the same machine. Default: all. */
  readonly members?: readonly number[]
}
