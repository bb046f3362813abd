// npm run bench -- processes [--sizes 64,1024,8192,65536 (KiB)] [--megabytes 512 (of each size)]
// How fast bytes get from one process to another: over the sockets alone, and from one device to the other; each process
// opens the next card of the machine. And how long the smallest message takes.
import { parseArgs } from 'node:util'
import { expose, wrap } from 'comlink'
import { ProcessWire, processTransport } from '../../src/parallel/fabric/processes/process_wire.node.ts'
import {
  createRendezvous,
  endRendezvous,
  type Rendezvous,
} from '../../src/parallel/fabric/processes/rendezvous.node.ts'
import { type Transport, whole } from '../../src/parallel/fabric/transport.ts'
import { parentEndpoint } from '../../src/pipelines/rank_endpoint.node.ts'
import { RANK_PROCESS, startRankProcess } from '../../src/pipelines/rank_process.node.ts'
import { rankCards } from '../../src/pipelines/team/rank_cards.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform, type PlatformOptions } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../../src/runtime/recorder.ts'

const [SENDER, READER] = [0, 1]

let index = SENDER
let wire: ProcessWire
let device: Device
let transport: Transport

/** Messages that nobody has waited for yet. */
let arrived = 0
let wake = () => {}

const rank = {
  async open(links: readonly [Rendezvous, Rendezvous], own: number, platform?: PlatformOptions): Promise<string> {
    index = own
    wire = new ProcessWire(links[0], own)
    const target = new Uint8Array(2 ** 30)
    wire.open({
      begin: (_, __, bytes) => ({
        target: target.subarray(0, bytes),
        done() {
          arrived++
          wake()
        },
      }),
    })
    await wire.meet()
    device = await Device.open(await openPlatform(platform), { tier: 'f32' })
    transport = await processTransport(device, links[1], own)
    return device.name
  },

  /** Seconds that this rank takes to send or to read so many messages over the sockets. */
  async sockets(bytes: number, count: number): Promise<number> {
    const data = new Uint8Array(bytes).fill(1)
    return timed(async (other) => {
      for (let i = 0; i < count; i++) {
        if (index === SENDER) await wire.write(other, 'x', data)
        else await message()
      }
    })
  },

  /** The same from tensor to tensor. */
  async tensors(bytes: number, count: number): Promise<number> {
    const g = new Recorder(device)
    const data = new Float32Array(bytes / 4).fill(1)
    const tensors = [0, 1].map(() => g.upload(data, [data.length]))
    const seconds = await timed(async (other) => {
      // As methods do, the reader asks before messages come, and the sender is at most two ahead of what was taken.
      const taken = Array.from({ length: count }, () => index === SENDER && transport.recv(other, 'taken', []))
      let next = index === READER ? transport.recv(other, 'x', [whole(tensors[0])]) : undefined
      for (let i = 0; i < count; i++) {
        if (index === SENDER) {
          if (i > 2) await taken[i - 3]
          await transport.send(other, 'x', [whole(tensors[i % 2])])
          continue
        }
        const message = next
        next = i + 1 < count ? transport.recv(other, 'x', [whole(tensors[(i + 1) % 2])]) : undefined
        await message
        await transport.send(other, 'taken', [])
      }
      await taken.at(-1)
      if (index === READER) await device.finished()
    })
    g.reset()
    return seconds
  },

  /** Messages of four bytes there and back again. */
  async echo(bytes: number, count: number): Promise<number> {
    const g = new Recorder(device)
    const parts = [whole(g.upload(new Float32Array(bytes / 4), [bytes / 4]))]
    const seconds = await timed(async (other) => {
      for (let i = 0; i < count; i++) {
        if (index === SENDER) await transport.send(other, 'x', parts)
        await transport.recv(other, 'x', parts)
        if (index === READER) await transport.send(other, 'x', parts)
      }
    })
    g.reset()
    return seconds
  },
}

async function message(): Promise<void> {
  while (arrived === 0) await new Promise<void>((resolve) => (wake = resolve))
  arrived--
}

/** From when both are there. */
async function timed(body: (other: number) => Promise<void>): Promise<number> {
  const other = 1 - index
  await Promise.all([transport.send(other, 'go', []), transport.recv(other, 'go', [])])
  const start = performance.now()
  await body(other)
  return (performance.now() - start) / 1000
}

async function main(): Promise<void> {
  await ensureVulkan()
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((arg) => arg !== 'processes'),
    options: {
      sizes: { type: 'string', default: '64,1024,8192,65536' },
      megabytes: { type: 'string', default: '512' },
    },
  })
  const links = [await createRendezvous(2), await createRendezvous(2)] as const
  const cards = await rankCards(2, {}, console.log)
  const ranks = cards.map(({ env }) => startRankProcess(new URL(import.meta.url), env))
  const apis = ranks.map(({ endpoint }) => wrap<typeof rank>(endpoint))
  const answered = <T>(answers: Promise<T>[]): Promise<T[]> =>
    Promise.race([Promise.all(answers), ...ranks.map(({ failed }) => failed)])
  try {
    const [name] = await answered(apis.map((api, own) => api.open(links, own, cards[own].platform)))
    console.log(`${name}\n${'message'.padStart(11)}  sockets alone  device to device`)
    for (const kib of values.sizes.split(',').map(Number)) {
      const bytes = kib * 1024
      const count = Math.max(4, Math.floor((Number(values.megabytes) * 2 ** 20) / bytes))
      const speeds: string[] = []
      for (const way of ['sockets', 'tensors'] as const) {
        await answered(apis.map((api) => api[way](bytes, 4))) // warm-up
        const [, seconds] = await answered(apis.map((api) => api[way](bytes, count)))
        speeds.push(`${((bytes * count) / seconds / 1e9).toFixed(2)} GB/s`)
      }
      console.log(`${`${kib} KiB`.padStart(11)}  ${speeds[0].padStart(13)}  ${speeds[1].padStart(16)}`)
    }
    const rounds = 500
    await answered(apis.map((api) => api.echo(4, 10)))
    const [seconds] = await answered(apis.map((api) => api.echo(4, rounds)))
    console.log(`smallest message, there and back again halved: ${((seconds / rounds / 2) * 1e6).toFixed(0)} µs`)
  } finally {
    for (const { terminate } of ranks) terminate()
    for (const one of links) await endRendezvous(one)
  }
}

if (process.env[RANK_PROCESS]) expose(rank, parentEndpoint())
else await main()
