import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { throwIfAborted } from '../../abort.ts'

/** How often the holder shows that it lives, in ms. */
const BEAT = 2000
/** A lock that nobody touched for so long is nobody's, in ms. */
const DEAD_AFTER = 30_000
/** How often to look whether a lock is free, in ms. */
const LOOK = 200

export interface LockOptions {
  readonly signal?: AbortSignal
  /** Told once if another holds the lock. */
  readonly onWait?: () => void
  /** See DEAD_AFTER, which it is by default. */
  readonly deadAfter?: number
}

/**
 * Runs `work` while nobody else does under this lock: a file that whoever has it creates, touches and removes. It spares
 * work and no more: two holders, after one slept too long, must do each other no harm.
 *
 * @throws the system's error where the lock cannot be created; DitError 'aborted'
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const mine = `${hostname()} ${process.pid} ${randomUUID()}`
  await take(path, mine, options)
  const beat = setInterval(() => {
    const now = new Date()
    fs.utimes(path, now, now).catch(() => {})
  }, BEAT)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    if ((await look(path))?.owner === mine) await fs.rm(path, { force: true })
  }
}

async function take(
  path: string,
  mine: string,
  { signal, onWait, deadAfter = DEAD_AFTER }: LockOptions,
): Promise<void> {
  let seen: { owner: string; touched: number } | undefined
  let since = 0
  let told = false
  for (;;) {
    throwIfAborted(signal)
    try {
      return await fs.writeFile(path, mine, { flag: 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const held = await look(path)
    // By this machine's clock alone: a file server's may differ.
    if (held?.owner !== seen?.owner || held?.touched !== seen?.touched) since = performance.now()
    seen = held
    if (held && (isDead(held.owner) || performance.now() - since > deadAfter)) {
      if ((await look(path))?.owner === held.owner) await fs.rm(path, { force: true })
      continue
    }
    if (!told) onWait?.()
    told = true
    await wait(LOOK, undefined, { signal }).catch(() => {})
  }
}

async function look(path: string): Promise<{ owner: string; touched: number } | undefined> {
  try {
    return { owner: await fs.readFile(path, 'utf8'), touched: (await fs.stat(path)).mtimeMs }
  } catch {
    return undefined // gone meanwhile
  }
}

/** Whether the holder was a process of this machine that has ended. */
function isDead(owner: string): boolean {
  const [host, holder] = owner.split(' ')
  if (host !== hostname() || !(Number(holder) > 0)) return false
  try {
    process.kill(Number(holder), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
