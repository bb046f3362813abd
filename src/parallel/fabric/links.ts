import type { Device } from '../../runtime/device.ts'
import type { HostsLinks } from './hosts/hosts_links.ts'
import type { NatsLinks } from './nats/nats_links.ts'
import type { PortLinks } from './ports/port_links.ts'
import { portTransport } from './ports/port_wire.ts'
import type { Rendezvous } from './processes/rendezvous.node.ts'
import type { SharedLinks } from './shared/shared_links.ts'
import { sharedTransport } from './shared/shared_wire.ts'
import type { Transport } from './transport.ts'

/** How a rank reaches the others: what it is given when it starts. */
export type Links =
  | { readonly by: 'shared memory'; readonly links: SharedLinks }
  | { readonly by: 'ports'; readonly links: PortLinks }
  | { readonly by: 'processes'; readonly links: Rendezvous }
  | { readonly by: 'nats'; readonly links: NatsLinks }
  | { readonly by: 'hosts'; readonly links: HostsLinks }

/** A rank's end of them. */
export async function openTransport(device: Device, links: Links, rank: number): Promise<Transport> {
  switch (links.by) {
    case 'shared memory':
      return sharedTransport(device, links.links, rank)
    case 'ports':
      return portTransport(device, links.links, rank)
    case 'processes':
      return (await import('./processes/process_wire.node.ts')).processTransport(device, links.links, rank)
    case 'nats':
      return (await import('./nats/nats_wire.node.ts')).natsTransport(device, links.links, rank)
    case 'hosts':
      return (await import('./hosts/hosts_wire.node.ts')).hostsTransport(device, links.links, rank)
  }
}
