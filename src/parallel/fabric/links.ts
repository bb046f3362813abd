import type { Device } from '../../runtime/device.ts'
import type { PortLinks } from './ports/port_links.ts'
import { portTransport } from './ports/port_wire.ts'
import type { SharedLinks } from './shared/shared_links.ts'
import { sharedTransport } from './shared/shared_wire.ts'
import type { Transport } from './transport.ts'

/** How a rank reaches the others: what it is given when it starts. */
export type Links =
  | { readonly by: 'shared memory'; readonly links: SharedLinks }
  | { readonly by: 'ports'; readonly links: PortLinks }

/** A rank's end of them. */
export async function openTransport(device: Device, { by, links }: Links, rank: number): Promise<Transport> {
  return by === 'ports'
    ? portTransport(device, links as PortLinks, rank)
    : sharedTransport(device, links as SharedLinks, rank)
}
