import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
} from '@nats-io/transport-node'
import { DitError } from '../../../runtime/errors.ts'

/** Where the server is, and what opens it. */
export interface ServerAccess {
  /** nats://HOST:PORT, or tls://HOST:PORT; several of one server cluster, with commas between them. */
  readonly servers: string
  readonly token?: string
  /** A seed, SU…: the server knows its public half. */
  readonly nkey?: string
  /** The text of a .creds file. */
  readonly creds?: string
  /** Paths of PEM files: whom to trust instead of the system's authorities, and who one is. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

/** A server that gives no answer for so long, twice, is gone, in ms. */
const PING = 5_000
/** How long to wait between tries to reach a server that was lost, in ms. */
const RECONNECT = 250
/** How long the first try may take, in ms. */
const TIMEOUT = 5_000

/**
 * A connection to a NATS server.
 *
 * @param name what the server's own lists call it
 * @param about `reconnects`: it is made again whenever it is lost, until it is closed; default. Else it ends.
 * @throws DitError 'io' where no server answers or it refuses, 'bad-argument'
 */
export async function connectTo(
  access: ServerAccess,
  name: string,
  { reconnects = true }: { readonly reconnects?: boolean } = {},
): Promise<NatsConnection> {
  const servers = access.servers.split(',').map(checkServer)
  const secure = access.tls !== undefined || servers.some(({ href }) => href.protocol === 'tls:')
  const options: ConnectionOptions = {
    servers: servers.map(({ href }) => bare(href)),
    name,
    authenticator: authenticators(access, servers[0]),
    tls: secure ? ((access.tls ?? {}) as TlsOptions) : undefined,
    timeout: TIMEOUT,
    reconnect: reconnects,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT,
    pingInterval: PING,
    maxPingOut: 2,
  }
  try {
    return await connect(options)
  } catch (error) {
    throw refused(error, servers.map(({ host }) => host).join(', '))
  }
}

interface Server {
  readonly href: URL
  readonly host: string
}

function checkServer(given: string): Server {
  const text = given.trim()
  const href = URL.canParse(text) ? new URL(text) : undefined
  if (!href || !['nats:', 'tls:'].includes(href.protocol) || href.hostname === '') {
    throw new DitError(
      'bad-argument',
      `the server is ${JSON.stringify(hidden(text))}, expected an address such as nats://127.0.0.1:4222`,
    )
  }
  return { href, host: `${href.hostname}:${href.port || 4222}` }
}

/** Without secrets. */
const hidden = (address: string): string => address.replace(/\/\/[^@/]*@/, '//…@')

const bare = ({ protocol, hostname, port }: URL): string => `${protocol}//${hostname}:${port || 4222}`

/** What the address carries (nats://TOKEN@… or nats://USER:PASSWORD@…) counts where nothing else is given. */
function authenticators({ token, nkey, creds }: ServerAccess, { href }: Server): Authenticator[] {
  const found: Authenticator[] = []
  const bytes = (text: string) => new TextEncoder().encode(text)
  if (creds !== undefined) found.push(credsAuthenticator(bytes(creds)))
  if (nkey !== undefined) found.push(nkeyAuthenticator(bytes(nkey)))
  if (token !== undefined) found.push(tokenAuthenticator(token))
  if (found.length > 0 || href.username === '') return found
  const [user, pass] = [href.username, href.password].map(decodeURIComponent)
  return [() => (href.password === '' ? { auth_token: user } : { user, pass })]
}

/** Why there is no connection, for whoever meets it. */
function refused(error: unknown, hosts: string): DitError {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) }
  const said = `${name} ${message}`
  const about = (what: string, hint: string) => new DitError('io', what, hint, { cause: error })
  if (/authorization|authentication/i.test(said)) {
    return about(
      `the NATS server at ${hosts} refuses these credentials`,
      'Give the token, nkey or .creds file that it expects: --nats_token, --nats_nkey or --nats_creds.',
    )
  }
  if (/certificate|tls|ssl|self.signed/i.test(said)) {
    return about(
      `no secure connection to the NATS server at ${hosts}: ${message}`,
      'Name the authority that signed its certificate with --nats_ca, and use the host name that the certificate is for.',
    )
  }
  return about(
    `no NATS server answers at ${hosts}: ${message}`,
    'Start one there: nats-server -js. Debian has it as the package nats-server; docs/cluster.md tells more.',
  )
}
