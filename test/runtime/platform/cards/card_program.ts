// Opens cards and says on stderr, before each device, which one was asked for. Tests start it in processes of its own.
import { writeSync } from 'node:fs'
import { isMainThread, parentPort, SHARE_ENV, Worker as Thread, workerData } from 'node:worker_threads'
import type { DitError } from '../../../../src/runtime/errors.ts'
import { openPlatform, type PlatformOptions, requestAdapter } from '../../../../src/runtime/platform/platform.ts'

export interface CardPlan {
  /** 'here': all in one thread at the same time; else each in a thread, with an environment of its own or the process's. */
  where: 'here' | 'copy' | 'shared'
  open: PlatformOptions[]
}

const wanted = ({ card, adapter }: PlatformOptions) => card?.pci ?? card?.name ?? adapter
const environment = () => JSON.stringify(Object.entries(process.env).sort())
const say = (line: string) => void writeSync(2, `${line}\n`)
const held: unknown[] = [] // devices outlive their platforms in no test

async function openPlatformOf(options: PlatformOptions): Promise<() => Promise<void>> {
  const before = environment()
  const platform = await openPlatform(options)
  held.push(platform)
  return async () => {
    if (isMainThread && environment() !== before) say('the environment is another')
    say(`asked ${wanted(options)}`)
    const adapter = await requestAdapter(platform, { powerPreference: 'high-performance' })
    held.push(await adapter.requestDevice())
  }
}

const failed = ({ kind, message }: DitError) => say(`${kind}: ${message}`)

async function inThreads({ where, open }: CardPlan): Promise<void> {
  const threads = open.map((options) => {
    const env = where === 'shared' ? SHARE_ENV : undefined
    return new Thread(new URL(import.meta.url), { workerData: options, env })
  })
  const heard = (thread: Thread) => new Promise((resolve) => thread.once('message', resolve))
  await Promise.all(threads.map(heard))
  for (const thread of threads) {
    const done = heard(thread)
    thread.postMessage('open a device')
    await done
  }
}

if (isMainThread) {
  const plan = JSON.parse(process.argv[2]) as CardPlan
  if (plan.where === 'here') {
    const opened = await Promise.all(plan.open.map((options) => openPlatformOf(options).catch(failed)))
    for (const openDevice of opened) await openDevice?.()
  } else await inThreads(plan)
  process.exit(held.length > 99 ? 1 : 0)
} else {
  const opened = await openPlatformOf(workerData).catch(failed)
  parentPort!.once('message', async () => {
    await opened?.()
    parentPort!.postMessage('done')
  })
  parentPort!.postMessage('ready')
}
