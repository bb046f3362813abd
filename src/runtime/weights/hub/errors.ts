import { megabytes } from '../../allocation.ts'
import { DitError } from '../../errors.ts'
import { type HubId, hubText } from './hub_id.ts'

/** What was asked of a hub. */
export interface Asked {
  readonly endpoint: string
  readonly hub: HubId
  /** A file; the model itself where there is none. */
  readonly path?: string
  /** Whether a token went with it. */
  readonly token: boolean
}

/** Why a hub did not answer as it was asked: its status, and what it says in X-Error-Code and X-Error-Message. */
export function refusal(asked: Asked, { status, statusText, headers }: Response): DitError {
  const { endpoint, hub, path, token } = asked
  const code = headers.get('X-Error-Code')
  const said = headers.get('X-Error-Message')
  const page = `${endpoint}/${hub.id}`
  const answer = [`${endpoint} answered ${status}`, said ?? statusText].filter(Boolean).join(': ')
  if (code === 'EntryNotFound' || (status === 404 && path !== undefined && !code)) {
    return new DitError('not-found', `${hubText(hub)} has no file ${path}`, `Look at the files on ${page}/tree/main.`)
  }
  if (code === 'RevisionNotFound') {
    const hint = `After @ comes a branch, a tag or a commit: ${page}/refs lists them.`
    return new DitError('not-found', `${hub.id} has no revision '${hub.revision}'`, hint)
  }
  const wrongToken = token ? 'the token in use gives no right to it' : 'no token was sent'
  if (code === 'GatedRepo' || status === 403) {
    const hint = `Accept the licence on ${page}, then set HF_TOKEN to a token that may read it (${endpoint}/settings/tokens).`
    return new DitError('io', `${hub.id} is gated, and ${wrongToken} (${answer})`, hint)
  }
  // The hub answers 401 where it does not want to say whether there is such a model.
  if (status === 401) {
    const hint =
      `Check the id. If it is gated or private: accept the licence on ${page}, and set HF_TOKEN to a token that may ` +
      `read it (${endpoint}/settings/tokens).`
    return new DitError('io', `${hub.id} does not exist, or is not for everybody, and ${wrongToken} (${answer})`, hint)
  }
  if (status === 404) {
    const hint = `Check the id: models are org/name, as in the address of their page. If it is private, set HF_TOKEN.`
    return new DitError('not-found', `there is no model ${hub.id} on ${endpoint}`, hint)
  }
  return new DitError('io', `${answer}, for ${where(asked)}`, later(status) ? 'Try again later.' : 'Check HF_ENDPOINT.')
}

/** Whether the same question may be answered otherwise, later. */
export function later(status: number): boolean {
  return status >= 500 || status === 429 || status === 408
}

export function where({ hub, path }: Asked): string {
  return path === undefined ? hubText(hub) : `${hubText(hub)}/${path}`
}

/** A hub that cannot be reached, or breaks off again and again. */
export class Unreachable extends DitError {
  constructor(message: string, hint: string, cause: unknown) {
    super('io', message, hint, { cause })
  }
}

/** What cannot be written, by the system's word for why. */
export function cannotWrite(error: unknown, what: string, cache: string): DitError {
  const code = (error as { code?: string }).code ?? String(error)
  const elsewhere = 'set HF_HUB_CACHE to a folder elsewhere'
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const hint = `Free some, or ${elsewhere}. What has come is kept: run again to go on.`
    return new DitError('io', `no space is left for ${what} in ${cache} (${code})`, hint, { cause: error })
  }
  return new DitError('io', `cannot write ${what} to ${cache} (${code})`, `Mend that, or ${elsewhere}.`, {
    cause: error,
  })
}

/** Said before a file is fetched that would not fit. */
export function noRoom(what: string, cache: string, needed: number, free: number): DitError {
  return new DitError(
    'io',
    `${what} needs ${megabytes(needed)}, and ${cache} has room for ${megabytes(free)}`,
    'Free some space, or set HF_HUB_CACHE to a folder on a larger disk.',
  )
}
