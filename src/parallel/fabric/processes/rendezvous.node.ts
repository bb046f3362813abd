import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the processes of a team find each other. */
export interface Rendezvous {
  readonly directory: string
  readonly size: number
}

const PREFIX = 'webdit-ranks-'

/** @param size ranks */
export async function createRendezvous(size: number): Promise<Rendezvous> {
  await removeStale()
  return { directory: await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`)), size }
}

export const endRendezvous = ({ directory }: Rendezvous): Promise<void> =>
  rm(directory, { recursive: true, force: true })

/** What a rank listens on. */
export const socketPath = ({ directory }: Rendezvous, rank: number): string =>
  process.platform === 'win32'
    ? `\\\\.\\pipe\\${directory.replace(/[^a-z0-9]+/gi, '-')}-${rank}`
    : join(directory, `${rank}.sock`)

/** Removes what teams left behind whose process was killed. */
async function removeStale(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1])
    if (!pid || lives(pid)) continue
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {}) // somebody else's
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
