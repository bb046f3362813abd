import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the processes of a team find each other. */
export interface Rendezvous {
  readonly directory: string
  readonly size: number
  /** The ranks that come there, where others are on other machines. Default: all. */
  readonly members?: readonly number[]
}

const PREFIX = 'webdit-ranks-'

/** Letters that the system's folder may have: a socket's path has 103 at most on macOS, and 107 on Linux. */
const LONGEST_PARENT = 60

const parentFolder = (): string =>
  tmpdir().length > LONGEST_PARENT && process.platform !== 'win32' ? '/tmp' : tmpdir()

/**
 * A folder for the sockets of a team, which nobody else may enter. End it when the ranks have ended; folders of processes
 * that could not are removed here.
 *
 * @param size ranks
 */
export async function createRendezvous(size: number): Promise<Rendezvous> {
  await removeStale()
  return { directory: await mkdtemp(join(parentFolder(), `${PREFIX}${process.pid}-`)), size }
}

/** Removes the folder. Ranks that have not met yet stop looking for each other. */
export const endRendezvous = ({ directory }: Rendezvous): Promise<void> =>
  rm(directory, { recursive: true, force: true })

/** What a rank listens on. */
export const socketPath = ({ directory }: Rendezvous, rank: number): string =>
  process.platform === 'win32'
    ? `\\\\.\\pipe\\${directory.replace(/[^a-z0-9]+/gi, '-')}-${rank}`
    : join(directory, `${rank}.sock`)

/** Removes what teams left behind whose process was killed. */
async function removeStale(): Promise<void> {
  for (const name of await readdir(parentFolder()).catch(() => [])) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1])
    if (!pid || lives(pid)) continue
    await rm(join(parentFolder(), name), { recursive: true, force: true }).catch(() => {}) // somebody else's
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
