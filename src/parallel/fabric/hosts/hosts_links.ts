import type { NatsLinks } from '../nats/nats_links.ts'
import type { Rendezvous } from '../processes/rendezvous.node.ts'

/** A rank's ways to others on several machines. */
export interface HostsLinks {
  /** To those on its own machine, itself among them. */
  readonly near: Rendezvous & { readonly members: readonly number[] }
  /** To those on others. */
  readonly far: NatsLinks & { readonly members: readonly number[] }
}
