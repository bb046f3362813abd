import { createHash } from 'node:crypto'
import { Refusal } from './refusal.ts'

/** Who may ask. */
export interface Access {
  /** Any of them opens; none are asked for where there are none. */
  readonly keys: readonly string[]
  /** Whether only this machine can connect. */
  readonly loopback: boolean
}

/** The names that this machine has for itself. */
const LOOPBACK_NAMES = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

export const isLoopback = (host: string): boolean => LOOPBACK_NAMES.test(host) || host === '::1'

/** Tells who asks, for the queue's turns. */
export class Gate {
  readonly #keys: ReadonlySet<string>
  readonly #loopback: boolean

  constructor({ keys, loopback }: Access) {
    this.#keys = new Set(keys.map(digest))
    this.#loopback = loopback
  }

  /**
   * Without keys, a page of another name that leads here (DNS rebinding) must not draw.
   * @throws Refusal 403
   */
  checkHost(host: string | undefined): void {
    if (!this.#loopback || this.#keys.size > 0 || (host !== undefined && isLoopback(host))) return
    throw new Refusal(403, 'wrong_host', `the request is for the host ${JSON.stringify(host?.slice(0, 80) ?? '')}`, {
      hint: 'This server answers to localhost and 127.0.0.1 alone, unless it is started with --host or --api_keys.',
    })
  }

  /**
   * @param authorization the header
   * @param address of the other side
   * @returns whose turn it is
   * @throws Refusal 401
   */
  client(authorization: string | undefined, address: string | undefined): string {
    if (this.#keys.size === 0) return `address ${address ?? ''}`
    const [, key] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
    // Digests are compared, so that the time it takes tells nothing of a key.
    const own = key === undefined ? undefined : digest(key)
    if (own !== undefined && this.#keys.has(own)) return `key ${own}`
    throw new Refusal(401, 'invalid_api_key', key === undefined ? 'an API key is needed' : 'the API key is not known', {
      hint: 'Send it as the header "Authorization: Bearer KEY".',
    })
  }
}

const digest = (key: string): string => createHash('sha256').update(key).digest('hex')
