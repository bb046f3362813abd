import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { wrap } from 'comlink'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRendezvous, endRendezvous } from '../../../src/parallel/fabric/processes/rendezvous.node.ts'
import { ipcEndpoint } from '../../../src/pipelines/ipc_tunnel.node.ts'
import { RANK_PROCESS } from '../../../src/pipelines/rank_process.node.ts'
import type { TestApi } from './entry.ts'
import { answered, bundle, foldersOf, gone, lives, onProcesses, type Scripts, startProcess } from './ranks.ts'

let scripts: Scripts
beforeAll(async () => {
  scripts = await bundle()
})
afterAll(() => scripts?.remove())

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe('a rank whose process', () => {
  it.each([0, 1, 2])(
    'is killed at a random moment ends the waiting of all others, who name it: rank %d',
    async (victim) => {
      await onProcesses(scripts.entry, 3, async (ranks) => {
        const others = ranks.filter((_, rank) => rank !== victim)
        const talking = others.map((rank) => answered(rank, rank.api.chatter()))
        const waiting = others.map((rank) => answered(rank, rank.api.await(victim, 'never')))
        ranks[victim].api.chatter().catch(() => {})
        const moment = Math.random() * 400
        await sleep(moment)
        const killed = Date.now()
        process.kill(ranks[victim].pid!, 'SIGKILL')
        for (const error of await Promise.all([...talking, ...waiting])) {
          expect(error, `killed after ${moment} ms`).toMatchObject({
            kind: 'device-lost',
            message: `rank ${victim} is gone: its process ended while others needed it`,
            hint: 'run again',
          })
          expect(error.at - killed).toBeLessThan(1000)
        }
        expect(await ranks[victim].end).toBe("the rank's process was ended by SIGKILL")
        // The others live, and end as they are told to.
        await Promise.all(others.map((rank) => answered(rank, rank.api.close())))
      })
    },
  )

  it('ends by itself while others wait is named, and its code is told', async () => {
    await onProcesses(scripts.entry, 2, async ([first, second]) => {
      const waiting = answered(first, first.api.await(1, 'never'))
      await second.api.exit(3)
      expect(await second.end).toBe("the rank's process ended with code 3")
      expect((await waiting).message).toMatch(/^rank 1 is gone: its process ended/)
    })
  })

  it('computes for ever is found by who waits for it, and nobody else', async () => {
    const silence = { longest: 1200, every: 100 }
    await onProcesses(
      scripts.entry,
      3,
      async ([first, second, third]) => {
        const waiting = [answered(first, first.api.await(1, 'ring.kv')), answered(third, third.api.await(0, 'patch'))]
        const start = Date.now()
        await second.api.block()
        const errors = await Promise.all(waiting)
        for (const error of errors) {
          expect(error).toMatchObject({
            kind: 'device-lost',
            message: "rank 1 is stuck: rank 0 waits for its 'ring.kv', and it has given no sign of life for 1 s",
          })
          expect(error.at - start).toBeGreaterThanOrEqual(silence.longest - 300)
          expect(error.at - start).toBeLessThan(silence.longest + 2000)
        }
        second.terminate()
        expect(await second.end).toBe("the rank's process was ended by SIGKILL")
      },
      silence,
    )
  })

  it('fails tells all ranks why, and the first error stays', async () => {
    await onProcesses(scripts.entry, 3, async (ranks) => {
      const [first, second, third] = ranks
      const waiting = [first, third].map((rank) => answered(rank, rank.api.await(1, 'x')))
      await second.api.fail('out-of-memory', 'the device could not hold 9 GB', 'use a smaller height')
      const expected = {
        kind: 'out-of-memory',
        message: 'the device could not hold 9 GB',
        hint: 'use a smaller height',
      }
      for (const error of await Promise.all(waiting)) expect(error).toMatchObject(expected)
      await third.api.fail('validation', 'another one', '')
      second.terminate()
      await second.end
      await sleep(50)
      for (const rank of [first, third]) expect(await answered(rank, rank.api.await(1, 'x'))).toMatchObject(expected)
    })
  })

  it('ends as it should is no failure, and what it sent before still arrives', async () => {
    await onProcesses(scripts.entry, 2, async ([first, second]) => {
      await answered(second, second.api.signal(0, 'last'))
      await answered(second, second.api.close())
      second.terminate()
      await second.end
      expect((await answered(first, first.api.await(1, 'last'))).message).toBe('no failure')
      await answered(first, first.api.close())
    })
  })

  it('is stuck does not keep another one from its end', async () => {
    await onProcesses(scripts.entry, 2, async ([first, second]) => {
      await second.api.block()
      await sleep(50)
      expect(await answered(first, first.api.close())).toEqual([])
    })
  })

  it('gets Ctrl-C goes on: the first process decides', async () => {
    await onProcesses(scripts.entry, 2, async ([first, second]) => {
      for (const { pid } of [first, second]) process.kill(pid!, 'SIGINT')
      await sleep(100)
      await answered(first, first.api.signal(1, 'after'))
      expect((await answered(second, second.api.await(0, 'after'))).message).toBe('no failure')
    })
  })
})

describe('ranks that meet', () => {
  it('name one that has ended meanwhile', async () => {
    const links = await createRendezvous(3)
    const ranks = [0, 1].map(() => startProcess(scripts.entry))
    const [first, second] = ranks
    const waiting = answered(first, first.api.meetInVain(links, 0))
    second.api.meetInVain(links, 1).catch(() => {})
    await expect.poll(() => existsSync(`${links.directory}/1.sock`), { timeout: 20_000 }).toBe(true)
    await sleep(200) // they meet; the third never comes
    second.terminate()
    expect((await waiting).message).toMatch(/^rank 1 is gone/)
    first.terminate()
    await Promise.all(ranks.map(({ end }) => end))
    await endRendezvous(links)
  })

  it('stop looking for each other when all were told to end', async () => {
    const links = await createRendezvous(2)
    const rank = startProcess(scripts.entry)
    const waiting = answered(rank, rank.api.meetInVain(links, 0))
    await expect.poll(() => existsSync(`${links.directory}/0.sock`), { timeout: 20_000 }).toBe(true)
    await endRendezvous(links)
    expect((await waiting).message).toBe('rank 0 waited in vain for rank 1 to start: all were told to end')
    rank.terminate()
    await rank.end
    expect(await foldersOf(process.pid)).toEqual([])
  })
})

it('a rank that nobody can reach any more ends', async () => {
  const env = { ...process.env, [RANK_PROCESS]: '1' }
  const rank = fork(fileURLToPath(scripts.entry), [], { execArgv: [], serialization: 'advanced', env })
  const ended = new Promise((resolve) => rank.on('exit', (_, signal) => resolve(signal)))
  await wrap<TestApi>(ipcEndpoint(rank, 1)).env('PATH')
  rank.disconnect()
  expect(await ended).toBe('SIGKILL')
})

it('a parent that is killed takes its ranks along, also one that is stuck, and the next team removes its folder', async () => {
  const parent = fork(fileURLToPath(scripts.parent), [scripts.entry.href], { execArgv: [] })
  const { pids, directory } = await new Promise<{ pids: number[]; directory: string }>((resolve, reject) => {
    parent.on('message', (told) => resolve(told as { pids: number[]; directory: string }))
    parent.on('exit', (code) => reject(new Error(`the parent ended with code ${code}`)))
  })
  for (const pid of pids) expect(await lives(pid)).toBe(true)
  expect(existsSync(directory)).toBe(true)
  await sleep(100)
  parent.kill('SIGKILL')
  await gone(pids, 3000)
  const own = await createRendezvous(2)
  expect(existsSync(directory)).toBe(false)
  expect(existsSync(own.directory)).toBe(true)
  // A second team of this process leaves the first one alone.
  const second = await createRendezvous(2)
  expect(existsSync(own.directory)).toBe(true)
  for (const links of [own, second]) await endRendezvous(links)
  expect(await foldersOf(process.pid)).toEqual([])
})
