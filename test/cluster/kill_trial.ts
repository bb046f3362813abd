import { createHash } from 'node:crypto'
import { drawOnCluster } from '../../src/cluster/drawing.ts'
import { Caller } from '../../src/cluster/jobs/caller.ts'
import { keysOf } from '../../src/cluster/keys.ts'
import { findModel } from '../../src/cluster/model/card.ts'
import { nodesOf } from '../../src/cluster/node/node_info.ts'
import { jobsInQueue, openRooms } from '../../src/cluster/rooms.ts'
import { connectTo } from '../../src/parallel/fabric/nats/connection.node.ts'
import { DiffusionPipeline } from '../../src/pipelines/diffusion_pipeline.ts'
import type { DitImage } from '../../src/pipelines/image/image.ts'
import { openModel } from '../../src/pipelines/open_model.ts'
import type { Device } from '../../src/runtime/device.ts'
import { startNats } from './support/nats_server.ts'
import { type NodeProcess, startNode } from './support/node_process.ts'
import { type Relay, startRelay } from './support/relay.ts'

export interface TrialOptions {
  readonly model: string
  readonly version: string
  readonly jobs: number
  /** Times that a node is killed or cut off. */
  readonly times: number
  /** From 0 to 1. */
  random(): number
  readonly env: NodeJS.ProcessEnv
  onNote?(line: string): void
}

export interface TrialResult {
  /** Digests of the pictures, by their prompts. */
  readonly pictures: ReadonlyMap<string, string>
  readonly faults: readonly string[]
  readonly done: readonly string[]
}

const NODES = 3
/** Seconds. */
const PATIENCE = 1
/** How long a node is cut off, in ms: longer than its jobs wait for it. */
const CUT = 2500

export const CALL = { height: 32, width: 32, useResolutionBinning: false, numInferenceSteps: 2, maxSequenceLength: 8 }
export const promptOf = (job: number): string => `job ${job}`
export const seedOf = (job: number): number => 1000 + job

export const digestOf = ({ width, height, data }: DitImage): string =>
  createHash('sha256').update(`${width}x${height}`).update(data).digest('hex')

/** The digests of pictures that one device draws, each alone, by their prompts. @param device default: one of its own */
export async function undisturbed(model: string, jobs: number, device?: Device): Promise<Map<string, string>> {
  const source = await openModel(model)
  const pipe = await DiffusionPipeline.fromPretrained(source, { device })
  const pictures = new Map<string, string>()
  for (let job = 0; job < jobs; job++) {
    const { images } = await pipe(promptOf(job), { ...CALL, seed: seedOf(job) })
    pictures.set(promptOf(job), digestOf(images[0]))
  }
  pipe.dispose()
  await source.close()
  return pictures
}

/** Jobs on three nodes, while these are killed and cut off, and while the server restarts once. */
export async function killTrial({
  model,
  version,
  jobs,
  times,
  random,
  env,
  onNote,
}: TrialOptions): Promise<TrialResult> {
  const server = await startNats()
  const faults: string[] = []
  const done: string[] = []
  const relays: Relay[] = []
  const nodes: NodeProcess[] = []
  const start = (k: number) =>
    startNode(`nats://127.0.0.1:${relays[k].port}`, ['--model', model, '--patience', String(PATIENCE)], env)
  const note = (line: string) => {
    done.push(line)
    onNote?.(line)
  }
  try {
    for (let k = 0; k < NODES; k++) relays.push(await startRelay(server.port))
    nodes.push(start(0))
    await nodes[0].ready
    for (let k = 1; k < NODES; k++) nodes.push(start(k))
    await Promise.all(nodes.map(({ ready }) => ready))

    const nc = await connectTo({ servers: server.url }, 'trial')
    const rooms = await openRooms(nc, 'webdit')
    const { digest } = await findModel(rooms, await nodesOf(rooms), undefined)
    const caller = new Caller(rooms, version)
    const pictures = new Map<string, string>()
    let count = 0
    /** What is to happen, by how many pictures are there then: at random, but before the last ones. */
    const moments = Array.from({ length: times }, () => Math.floor(random() * jobs * 0.8))
    const restart = Math.floor(jobs / 2)
    const harms: Promise<unknown>[] = []

    const kill = async (k: number) => {
      note(`after ${count} pictures: node ${k} killed`)
      nodes[k].child.kill('SIGKILL')
      await nodes[k].ended
      nodes[k] = start(k)
      await nodes[k].ready
    }
    const cut = async (k: number) => {
      note(`after ${count} pictures: node ${k} cut off`)
      relays[k].cut()
      await new Promise((resolve) => setTimeout(resolve, CUT))
      relays[k].mend()
    }
    const busy = new Set<number>()
    const harm = async () => {
      // One that is being harmed is spared, so that all of them count.
      const free = Array.from({ length: NODES }, (_, k) => k).filter((k) => !busy.has(k))
      const k = free[Math.floor(random() * free.length)]
      if (k === undefined) return void moments.push(count + 1)
      busy.add(k)
      await (random() < 0.6 ? kill(k) : cut(k)).finally(() => busy.delete(k))
    }
    const drew = () => {
      count++
      if (count === restart) {
        note(`after ${count} pictures: the server killed and started again`)
        harms.push(server.restart(200))
      }
      for (let i = moments.length - 1; i >= 0; i--) {
        if (moments[i] > count) continue
        moments.splice(i, 1)
        harms.push(harm())
      }
    }

    await Promise.all(
      Array.from({ length: jobs }, async (_, job) => {
        const prompt = promptOf(job)
        const { images } = await drawOnCluster(caller, digest, [prompt], { ...CALL, seed: seedOf(job) })
        if (images.length !== 1) faults.push(`${prompt} came with ${images.length} pictures`)
        if (pictures.has(prompt)) faults.push(`${prompt} came twice`)
        pictures.set(prompt, digestOf(images[0]))
        drew()
      }),
    )
    await Promise.all(harms)
    const results = (await keysOf(rooms, rooms.names.buckets.results)).length
    if (results !== jobs) faults.push(`${results} results are written for ${jobs} jobs`)
    for (let tries = 0; ; tries++) {
      const left = await jobsInQueue(rooms)
      if (left === 0) break
      if (tries === 50) {
        faults.push(`${left} jobs are left in the queue`)
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    await caller.close()
    await nc.close()
    return { pictures, faults, done }
  } finally {
    for (const { child } of nodes) child.kill('SIGKILL')
    await Promise.all(nodes.map(({ ended }) => ended))
    await Promise.all(relays.map((relay) => relay.close()))
    await server.stop()
  }
}
