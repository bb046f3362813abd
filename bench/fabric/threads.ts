// npm run bench -- threads [--sizes 65536,1048576,…] [--seconds 1] [--ahead 2] [--cards] [--out FILE]
// What ranks in threads move: two threads with a device each send messages through shared memory, and through ports;
// beside them, in the same run and in turns, one thread copies the same bytes by hand through the same kinds of staging
// (device → mapped → shared memory → mapped → device), with no protocol. Also four threads at once, and the latency.
// --ahead: messages that a sender may be ahead of what was taken. --cards: each thread opens the next card of the machine.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, SHARE_ENV, Worker, workerData } from 'node:worker_threads'
import { Fabric } from '../../src/parallel/fabric/fabric.ts'
import { type Links, openTransport } from '../../src/parallel/fabric/links.ts'
import { createPortLinks } from '../../src/parallel/fabric/ports/port_links.ts'
import { createSharedLinks } from '../../src/parallel/fabric/shared/shared_links.ts'
import { type RankCard, rankCards } from '../../src/pipelines/team/rank_cards.ts'
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Recorder } from '../../src/runtime/recorder.ts'

interface Job {
  readonly size: number
  readonly rank: number
  readonly links: Links
  readonly card: RankCard | undefined
}
/** Sends from even ranks to the next odd ones, for so long. */
interface Order {
  readonly bytes: number
  readonly seconds: number
  readonly ahead: number
  readonly echo?: boolean
}

if (isMainThread) await main()
else await rank(workerData as Job)

async function rank({ size, rank, links, card }: Job): Promise<void> {
  const device = await Device.open(await openPlatform(card?.platform))
  const fabric = new Fabric(await openTransport(device, links, rank))
  const g = new Recorder(device)
  const peer = rank ^ 1
  parentPort!.on('message', async ({ bytes, seconds, ahead, echo }: Order) => {
    const tensor = g.keep([bytes / 4], 'f32', 'message')
    const part = { tensor, offset: 0, bytes }
    const end = performance.now() + seconds * 1000
    const began = performance.now()
    let moved = 0
    if (rank % 2 === 0) {
      // What is on its way is bounded by what comes back.
      let acknowledged = 0
      const acknowledge = async (open: number) => {
        for (; !echo && moved - acknowledged > open; acknowledged++) await fabric.recvParts(g, peer, 'taken', [])
      }
      for (; performance.now() < end; moved++, await acknowledge(ahead)) {
        await fabric.sendParts(g, peer, 'bytes', () => [part])
        if (echo) await fabric.recvParts(g, peer, 'back', [part])
      }
      await acknowledge(0)
      await fabric.sendParts(g, peer, 'end', () => [])
    } else {
      const ended = fabric.recvParts(g, peer, 'end', [])
      let over = false
      void ended.then(() => {
        over = true
      })
      let next = fabric.recvParts(g, peer, 'bytes', [part])
      for (;;) {
        await Promise.race([next, ended])
        if (over) break
        await next
        moved++
        if (echo) await fabric.sendParts(g, peer, 'back', () => [part])
        else await fabric.sendParts(g, peer, 'taken', () => [])
        next = fabric.recvParts(g, peer, 'bytes', [part])
      }
      // The last receive waits for a message of the next order.
      left.push(next)
    }
    await device.finished()
    parentPort!.postMessage({ moved, seconds: (performance.now() - began) / 1000 })
  })
  const left: Promise<void>[] = []
  parentPort!.postMessage({ ready: size })
}

async function main(): Promise<void> {
  await ensureVulkan()
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '65536,1048576,8388608,67108864' },
      seconds: { type: 'string', default: '1' },
      ahead: { type: 'string', default: '2' },
      cards: { type: 'boolean' },
      out: { type: 'string' },
    },
    args: process.argv.slice(2).filter((argument) => argument !== 'threads'),
  })
  const [seconds, ahead] = [values.seconds, values.ahead].map(Number)
  const cards = values.cards ? await rankCards(4, {}, console.log) : []
  const device = await Device.open(await openPlatform())
  console.log(device.name)
  const rows: Record<string, unknown>[] = []
  for (const bytes of values.sizes.split(',').map(Number)) {
    const raw = await rawLoop(device, bytes, seconds)
    const shared = await threads('shared memory', 2, { bytes, seconds, ahead }, cards)
    const again = await rawLoop(device, bytes, seconds)
    const ports = await threads('ports', 2, { bytes, seconds, ahead }, cards)
    const four = await threads('shared memory', 4, { bytes, seconds, ahead }, cards)
    const best = Math.max(raw, again)
    rows.push({ bytes, raw: best, shared, ratio: shared / best, ports, four })
    const gb = (rate: number) => `${(rate / 1e9).toFixed(2)} GB/s`
    console.log(
      `${bytes} bytes: raw loop ${gb(best)}, shared memory ${gb(shared)} (${((100 * shared) / best).toFixed(0)} %), ports ${gb(ports)}, four threads, each pair ${gb(four)}`,
    )
  }
  const rate = await threads('shared memory', 2, { bytes: 256, seconds, ahead, echo: true }, cards)
  const latency = (256 / rate / 2) * 1e6
  console.log(`smallest message, there and back again halved: ${latency.toFixed(0)} µs`)
  if (values.out) writeFileSync(values.out, JSON.stringify({ device: device.name, rows, latency }, null, 2))
  process.exit(0)
}

/** Bytes a second and pair. */
async function threads(
  by: 'shared memory' | 'ports',
  size: number,
  order: Order,
  cards: readonly RankCard[],
): Promise<number> {
  const ports = by === 'ports' ? createPortLinks(size) : []
  const shared = createSharedLinks(size)
  const workers = Array.from({ length: size }, (_, rank) => {
    const links: Links = by === 'ports' ? { by, links: ports[rank] } : { by: 'shared memory', links: shared }
    const transferList = by === 'ports' ? (ports[rank].filter((port) => port) as never[]) : []
    const data: Job = { size, rank, links, card: cards[rank] }
    // A card is pinned by the environment that libraries see: the process's, not a thread's copy.
    return new Worker(new URL(import.meta.url), { workerData: data, transferList, env: SHARE_ENV })
  })
  const answer = <T>(worker: Worker) => new Promise<T>((resolve) => worker.once('message', resolve))
  await Promise.all(workers.map(answer))
  const run = async (seconds: number) => {
    const answers = workers.map(answer<{ moved: number; seconds: number }>)
    for (const worker of workers) worker.postMessage({ ...order, seconds })
    return Promise.all(answers)
  }
  const results = (await run(order.seconds)).filter((_, rank) => rank % 2 === 0)
  // Ending a thread whose device still works would end the process: they rest until the program ends.
  for (const worker of workers) worker.unref()
  const rates = results.map(({ moved, seconds }) => ((moved * order.bytes) / seconds) * (order.echo ? 2 : 1))
  return rates.reduce((a, b) => a + b, 0) / rates.length
}

/** Bytes a second of copies by hand, one after the other. */
async function rawLoop(device: Device, bytes: number, seconds: number): Promise<number> {
  const { gpu } = device
  const storage = () =>
    gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST })
  const [source, target] = [storage(), storage()]
  const read = gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
  const write = gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC })
  const shared = new Uint8Array(new SharedArrayBuffer(bytes))
  const copy = (from: GPUBuffer, to: GPUBuffer) => {
    const encoder = gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes)
    gpu.queue.submit([encoder.finish()])
  }
  const once = async () => {
    copy(source, read)
    await device.settled(read.mapAsync(GPUMapMode.READ))
    shared.set(new Uint8Array(read.getMappedRange()))
    read.unmap()
    await device.settled(write.mapAsync(GPUMapMode.WRITE))
    new Uint8Array(write.getMappedRange()).set(shared)
    write.unmap()
    copy(write, target)
  }
  await once()
  let count = 0
  const began = performance.now()
  for (; performance.now() - began < seconds * 1000; count++) await once()
  await device.finished()
  const rate = (count * bytes) / ((performance.now() - began) / 1000)
  for (const buffer of [source, target, read, write]) buffer.destroy()
  return rate
}
