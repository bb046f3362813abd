// What the processes of these tests run: a rank that does as it is told, with a device of its own.
import { expose, proxy } from 'comlink'
import { Fabric } from '../../../src/parallel/fabric/fabric.ts'
import { processTransport } from '../../../src/parallel/fabric/processes/process_wire.node.ts'
import type { Rendezvous } from '../../../src/parallel/fabric/processes/rendezvous.node.ts'
import type { Silence } from '../../../src/parallel/fabric/watchdog.ts'
import { parentEndpoint } from '../../../src/pipelines/rank_endpoint.node.ts'
import { Device } from '../../../src/runtime/device.ts'
import { DitError, type DitErrorKind } from '../../../src/runtime/errors.ts'
import { openPlatform } from '../../../src/runtime/platform/platform.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import { bitsOf, type Letter, lettersOf, ordered } from './letters.ts'

interface PlainError {
  readonly kind: DitErrorKind
  readonly message: string
  readonly hint?: string
  /** Date.now() when it came. */
  readonly at: number
}

/** Handles that keep a process alive; streams come and go as the test's runner likes. */
const handles = () => process.getActiveResourcesInfo().filter((name) => !/TTY|File|Immediate/.test(name))

let device: Device
let g: Recorder
let fabric: Fabric
let before: string[] = []

/** How `work` fails, in a form that crosses. */
async function failureOf(work: Promise<unknown>): Promise<PlainError> {
  const error = await work.then(
    () => new DitError('validation', 'no failure'),
    (cause) => cause as DitError,
  )
  return { kind: error.kind, message: error.message, hint: error.hint, at: Date.now() }
}

const rank = {
  async open(links: Rendezvous, index: number, silence?: Silence): Promise<void> {
    device ??= await Device.open(await openPlatform(), { tier: 'f32', checked: true, poison: true })
    g = new Recorder(device)
    before = handles()
    fabric = new Fabric(await processTransport(device, links, index), silence)
  },

  /** Sends and receives this rank's part of all letters, and returns what it found wrong and how many it has read. */
  async exchange(seed: number): Promise<{ wrong: string[]; read: number; sent: [string, number][] }> {
    const { rank: own, size } = fabric
    const letters = lettersOf(seed, size)
    const sending = letters
      .filter(({ from }) => from === own)
      .map(({ to, tag, tensors }) =>
        fabric.send(g, to, tag, ...tensors.map((spec) => g.upload(bitsOf(spec), spec.shape))),
      )
    const wrong: string[] = []
    const mine = ordered(letters.filter(({ to }) => to === own))
    const read = async ({ from, tag, tensors }: Letter) => {
      const came = await fabric.recv(g, from, tag, tensors)
      await g.flush()
      for (const [i, spec] of tensors.entries()) {
        const expected = bitsOf(spec)
        if (expected.byteLength === 0) continue
        const bytes = await device.download(came[i].placement!.buffer, Math.ceil(expected.byteLength / 4) * 4)
        const got = Buffer.from(bytes, 0, expected.byteLength)
        if (!got.equals(Buffer.from(expected.buffer))) wrong.push(`${tag} from ${from} to ${own}, tensor ${i}`)
      }
    }
    await Promise.all([...mine.map(read), ...sending])
    return { wrong, read: mine.length, sent: [...fabric.sent] }
  },

  /** When it came to each of some barriers and left it, in ms since 1970. */
  async barriers(delays: readonly number[]): Promise<{ came: number; left: number }[]> {
    const all = Array.from({ length: fabric.size }, (_, index) => index)
    const times = []
    for (const delay of delays) {
      await new Promise((resolve) => setTimeout(resolve, delay))
      const came = Date.now()
      await fabric.barrier(g, all)
      times.push({ came, left: Date.now() })
    }
    return times
  },

  /** Passes messages around until something fails, and tells what that was. */
  chatter(): Promise<PlainError> {
    const { rank: own, size } = fabric
    return failureOf(
      (async () => {
        for (let round = 0; ; round++) {
          const data = new Float32Array(50_000).fill(round)
          await g.scope(async () => {
            const sending = []
            for (let to = 0; to < size; to++) {
              if (to !== own) sending.push(fabric.send(g, to, `round ${round}`, g.upload(data, [data.length])))
            }
            for (let from = 0; from < size; from++) {
              if (from !== own) await fabric.recv(g, from, `round ${round}`, [{ shape: [data.length], dtype: 'f32' }])
            }
            await Promise.all(sending)
          })
        }
      })(),
    )
  },

  /** How waiting for that message fails. */
  await: (from: number, tag: string): Promise<PlainError> => failureOf(fabric.recv(g, from, tag, [])),

  /** How meeting the others fails. */
  meetInVain: (links: Rendezvous, index: number): Promise<PlainError> => failureOf(rank.open(links, index)),

  signal: (to: number, tag: string): Promise<void> => fabric.send(g, to, tag),

  fail(kind: DitErrorKind, message: string, hint: string): void {
    fabric.fail(new DitError(kind, message, hint))
  },

  /** Ends, and tells of what would keep this process alive and was not there before. */
  async close(): Promise<string[]> {
    await fabric.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const rest = [...before]
    const left = handles().filter((name) => {
      const at = rest.indexOf(name)
      if (at >= 0) rest.splice(at, 1)
      return at < 0
    })
    g.reset()
    device.close()
    return left
  },

  /** Computes for ever. */
  block(): void {
    setTimeout(() => {
      while (true);
    })
  },

  exit(code: number): void {
    setTimeout(() => process.exit(code), 10)
  },

  count(times: number, told: (i: number) => unknown): Promise<unknown[]> {
    return Promise.all(Array.from({ length: times }, (_, i) => told(i)))
  },

  /** Asks a callback for more: ports in an answer, through a port. */
  async ask(callback: () => Promise<(x: number) => Promise<number>>): Promise<number> {
    const given = await callback()
    return given(20)
  },

  adder: (a: number) => proxy((b: number) => a + b),

  sum: (data: Float32Array): number => data.reduce((sum, v) => sum + v, 0),

  ports: (): number => endpoint.open,

  env: (name: string): string | undefined => process.env[name],
}

export type TestApi = typeof rank

const endpoint = parentEndpoint() as ReturnType<typeof parentEndpoint> & { readonly open: number }
expose(rank, endpoint)
