import { Caller } from '../../src/cluster/jobs/caller.ts'
import { Worker } from '../../src/cluster/node/worker.ts'
import { openRooms } from '../../src/cluster/rooms.ts'
import { connectTo } from '../../src/parallel/fabric/nats/connection.node.ts'
import { DitImage } from '../../src/pipelines/image/image.ts'

/** Of a small picture: what a node would have drawn. */
const SIDE = 64

/**
 * What the queue adds to a job: one node whose device takes no time, so that all of it is the queue's.
 *
 * @returns ms a job: the median and the worst of some that follow each other, and of as many that are there at once
 */
export async function queueOverhead(url: string, jobs: number) {
  const digest = 'overhead'
  const connect = async () => openRooms(await connectTo({ servers: url }, 'overhead'), 'overhead')
  const [near, far] = [await connect(), await connect()]
  const image = new DitImage(
    SIDE,
    SIDE,
    Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * 7) % 251),
  )
  const latents = { data: new Float32Array(), shape: [1, 4, 8, 8] }
  const drawer = { draw: async () => ({ images: [image], latents, warnings: [], seed: 1 }) }
  const about = { node: 'x', version: '1', digest, patience: 15, hooks: {}, changed() {}, onNote() {} }
  const worker = new Worker(far, about)
  const working = worker.work([{ drawer, lose: async () => {}, reopen: async () => drawer }])
  const caller = new Caller(near, '1')
  const draw = async () => {
    const began = performance.now()
    await caller.draw(digest, ['x'], {}, false)
    return performance.now() - began
  }
  await draw()
  const times: number[] = []
  for (let i = 0; i < jobs; i++) times.push(await draw())
  times.sort((a, b) => a - b)
  const began = performance.now()
  await Promise.all(Array.from({ length: jobs }, draw))
  const together = (performance.now() - began) / jobs
  worker.drain()
  await working
  await caller.close()
  await near.nc.close()
  await far.nc.close()
  return { median: times[jobs >> 1], worst: times.at(-1)!, together }
}
