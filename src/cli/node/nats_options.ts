import { readFile } from 'node:fs/promises'
import { DEFAULT_CLUSTER } from '../../cluster/names.ts'
import type { ServerAccess } from '../../parallel/fabric/nats/connection.node.ts'
import { DitError } from '../../runtime/errors.ts'
import { type OptionSpec, type ParsedArgs, UsageError } from '../command.ts'

/** Where the server of a cluster is, and what opens it. Secrets stand in files: command lines are read by others. */
export const NATS_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'nats',
    type: 'text',
    value: 'nats://HOST:4222',
    help: 'The NATS server of a cluster of machines: docs/cluster.md. tls:// for a secure connection.',
  },
  { name: 'nats_token', type: 'text', value: 'FILE', help: 'What the NATS server asks for, alone in a file.' },
  { name: 'nats_nkey', type: 'text', value: 'FILE', help: 'The seed (SU…) of the nkey that the NATS server knows.' },
  { name: 'nats_creds', type: 'text', value: 'FILE', help: 'A .creds file, as nsc writes it.' },
  {
    name: 'nats_ca',
    type: 'text',
    value: 'FILE',
    help: 'The authority (PEM) that signed the NATS server’s certificate.',
  },
  {
    name: 'nats_cert',
    type: 'text',
    value: 'FILE',
    help: 'A certificate (PEM) of one’s own, where the NATS server asks for it.',
  },
  { name: 'nats_key', type: 'text', value: 'FILE', help: 'Its key (PEM).' },
  {
    name: 'cluster',
    type: 'text',
    value: 'NAME',
    help: `Several clusters may share a NATS server, each by its name. Default: ${DEFAULT_CLUSTER}.`,
  },
]

export const clusterName = (args: ParsedArgs): string => args.text('cluster') ?? DEFAULT_CLUSTER

/** @throws UsageError, DitError 'not-found' for a file that cannot be read */
export async function serverAccess(args: ParsedArgs): Promise<ServerAccess> {
  const servers = args.text('nats')
  if (servers === undefined) {
    throw new UsageError('a NATS server is needed: --nats nats://HOST:4222', 'Start one with: nats-server -js')
  }
  const [token, nkey, creds] = await Promise.all(
    ['nats_token', 'nats_nkey', 'nats_creds'].map((name) => secretOf(args, name)),
  )
  const [caFile, certFile, keyFile] = ['nats_ca', 'nats_cert', 'nats_key'].map((name) => args.text(name))
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UsageError('--nats_cert and --nats_key belong together')
  }
  for (const name of ['nats_ca', 'nats_cert', 'nats_key']) await secretOf(args, name)
  const tls = caFile !== undefined || certFile !== undefined ? { caFile, certFile, keyFile } : undefined
  return { servers, token, nkey, creds, tls }
}

async function secretOf(args: ParsedArgs, name: string): Promise<string | undefined> {
  const file = args.text(name)
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new DitError('not-found', `cannot read ${file} (${cause.code})`, `Check the path behind --${name}.`, {
      cause,
    })
  })
  if (text.trim() !== '') return text.trim()
  throw new UsageError(`${file}, named by --${name}, is empty`)
}
