import type { Links } from '../../parallel/fabric/links.ts'
import { createPortLinks } from '../../parallel/fabric/ports/port_links.ts'
import { createSharedLinks } from '../../parallel/fabric/shared/shared_links.ts'

/** The ways between the ranks of a team. */
export interface TeamLinks {
  of(rank: number): Links
  /** Takes them down. */
  end(): Promise<void>
}

/** Shared memory where the page may have it, else ports; sockets between processes. */
export async function makeLinks(processes: boolean, size: number): Promise<TeamLinks> {
  if (processes) {
    const { createRendezvous, endRendezvous } = await import('../../parallel/fabric/processes/rendezvous.node.ts')
    const links = await createRendezvous(size)
    return { of: () => ({ by: 'processes', links }), end: () => endRendezvous(links) }
  }
  if (typeof SharedArrayBuffer === 'undefined') {
    const links = createPortLinks(size)
    return { of: (rank) => ({ by: 'ports', links: links[rank] }), end: async () => {} }
  }
  const links = createSharedLinks(size)
  return { of: () => ({ by: 'shared memory', links }), end: async () => {} }
}
