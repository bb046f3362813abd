import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { DitError } from '../../runtime/errors.ts'
import { isLoopback } from '../../server/access.ts'
import { DEFAULT_LIMITS, type Limits } from '../../server/limits.ts'
import { type ParsedArgs, UsageError } from '../command.ts'
import { DEFAULT_HOST, DEFAULT_PORT } from './options.ts'

/** Where the server listens, and to whom. */
export interface ServeSettings {
  readonly host: string
  readonly port: number
  readonly keys: readonly string[]
  readonly corsOrigins: readonly string[]
  readonly loopback: boolean
  readonly limits: Limits
}

/** A timer takes no more seconds. */
const LONGEST = 2_000_000

/** @throws UsageError, DitError 'not-found' for a file of keys that cannot be read */
export async function readServeSettings(args: ParsedArgs): Promise<ServeSettings> {
  const whole = (name: string, fallback: number, least: number, most: number) => {
    const value = args.number(name) ?? fallback
    if (value >= least && value <= most) return value
    throw new UsageError(`--${name} is ${value}, expected a number from ${least} to ${most}`)
  }
  const host = args.text('host') ?? DEFAULT_HOST
  const limits: Limits = {
    size: whole('max_size', DEFAULT_LIMITS.size, 1, 65_536),
    steps: whole('max_steps', DEFAULT_LIMITS.steps, 1, 1000),
    n: whole('max_n', DEFAULT_LIMITS.n, 1, 1000),
    body: whole('max_body', DEFAULT_LIMITS.body, 1024, 2 ** 30),
    queue: whole('queue', DEFAULT_LIMITS.queue, 1, 100_000),
    batch: whole('max_batch', DEFAULT_LIMITS.batch, 1, 1024),
    deadline: whole('deadline', DEFAULT_LIMITS.deadline, 0.001, LONGEST),
  }
  if (limits.n > limits.queue) {
    throw new UsageError(
      `--max_n is ${limits.n}, more than the ${limits.queue} places of --queue`,
      'Such a request would never find room: lower the one or raise the other.',
    )
  }
  return {
    host,
    port: whole('port', DEFAULT_PORT, 0, 65_535),
    keys: await readKeys(args.text('api_keys')),
    corsOrigins: args.texts('cors_origin').map(checkOrigin),
    loopback: isLoopback(host),
    limits,
  }
}

async function readKeys(file: string | undefined): Promise<string[]> {
  if (file === undefined) return []
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new DitError('not-found', `cannot read ${file} (${cause.code})`, 'Check the path behind --api_keys.', {
      cause,
    })
  })
  const keys = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const strange = keys.findIndex((key) => /\s/.test(key))
  if (strange >= 0) throw new UsageError(`key ${strange + 1} of ${file} has spaces in it`, 'Write one key a line.')
  // None at all would open the server to everybody.
  if (keys.length === 0) throw new UsageError(`${file} holds no key`, 'Write one key a line, or leave --api_keys out.')
  return keys
}

function checkOrigin(origin: string): string {
  if (origin === '*') return origin
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url && url.origin === origin) return origin
  throw new UsageError(
    `--cors_origin is ${JSON.stringify(origin)}, expected an origin such as https://example.org, or *`,
  )
}

/** What requests call a model: the last part of its folder, address or hub name. */
export const modelId = (model: string): string =>
  /^https?:/.test(model) || !model.includes('/')
    ? model.replace(/\/+$/, '').split('/').at(-1)!
    : basename(resolve(model))
