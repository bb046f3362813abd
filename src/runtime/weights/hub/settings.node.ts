import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'

/** Where the hub is and where its files are kept: the environment variables of Python's huggingface_hub. */
export interface HubSettings {
  /** Without '/' at the end. */
  readonly endpoint: string
  /** The folder that holds models--org--name. */
  readonly cache: string
  readonly offline: boolean
  readonly token: string | undefined
  /** Snapshots hold copies, no links. */
  readonly copies: boolean
  /** How long to wait for an answer, and for the next bytes of a file, in ms. */
  readonly answerTimeout: number
  readonly bytesTimeout: number
  /** Whether to tell of progress. */
  readonly quiet: boolean
}

/** What huggingface_hub waits, in s. */
const TIMEOUT = 10

export async function hubSettings(): Promise<HubSettings> {
  const home = path(env.HF_HOME) ?? join(path(env.XDG_CACHE_HOME) ?? join(homedir(), '.cache'), 'huggingface')
  return {
    endpoint: (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    cache: path(env.HF_HUB_CACHE) ?? path(env.HUGGINGFACE_HUB_CACHE) ?? join(home, 'hub'),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    token: await readToken(path(env.HF_TOKEN_PATH) ?? join(home, 'token')),
    copies: isTrue(env.HF_HUB_DISABLE_SYMLINKS),
    answerTimeout: seconds(env.HF_HUB_ETAG_TIMEOUT),
    bytesTimeout: seconds(env.HF_HUB_DOWNLOAD_TIMEOUT),
    quiet: isTrue(env.HF_HUB_DISABLE_PROGRESS_BARS),
  }
}

/** HF_TOKEN, or what `hf auth login` left behind. */
async function readToken(file: string): Promise<string | undefined> {
  const given = (env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN)?.trim()
  if (given) return given
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const saved = await readFile(file, 'utf8').catch(() => '')
  return saved.trim() || undefined
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '')
}

function seconds(value: string | undefined): number {
  return (Number(value) > 0 ? Number(value) : TIMEOUT) * 1000
}

/** A folder as a shell's user writes it: ~ and $VARIABLES; undefined where it is not set. */
function path(value: string | undefined): string | undefined {
  if (!value) return undefined
  return value
    .replace(/^~(?=$|[/\\])/, homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (all, plain, braced) => env[plain ?? braced] ?? all)
}
