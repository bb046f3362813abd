import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Fabric } from '../../../src/parallel/fabric/fabric.ts'
import { type Links, openTransport } from '../../../src/parallel/fabric/links.ts'
import { createPortLinks } from '../../../src/parallel/fabric/ports/port_links.ts'
import { RING_BYTES } from '../../../src/parallel/fabric/shared/ring.ts'
import { createSharedLinks } from '../../../src/parallel/fabric/shared/shared_links.ts'
import type { Transport } from '../../../src/parallel/fabric/transport.ts'
import type { Silence } from '../../../src/parallel/fabric/watchdog.ts'
import type { Device } from '../../../src/runtime/device.ts'
import { DitError } from '../../../src/runtime/errors.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import { HAS_NATS, startNats } from '../../cluster/support/nats_server.ts'
import { testDevice } from '../../support/device.ts'
import { failure } from '../../support/failure.ts'
import { random } from '../../support/numbers.ts'

const WIRES: Record<string, (ranks: number) => (rank: number) => Links> = {
  'shared memory'(ranks) {
    const links = createSharedLinks(ranks)
    return () => ({ by: 'shared memory', links })
  },
  ports(ranks) {
    const links = createPortLinks(ranks)
    return (rank) => ({ by: 'ports', links: links[rank] })
  },
}

// Its own server, as long as these tests run.
const server = HAS_NATS ? await startNats() : undefined
afterAll(() => server?.stop())
if (server) {
  let meshes = 0
  WIRES.NATS = (size) => {
    const links = { access: { servers: server.url }, mesh: `mesh.${++meshes}`, size }
    return () => ({ by: 'nats', links })
  }
}

/** Two million numbers in a moment, unlike toEqual. */
const same = (a: Float32Array, b: Float32Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer))

interface End {
  readonly device: Device
  readonly g: Recorder
  readonly fabric: Fabric
}

describe.each(Object.keys(WIRES))('%s between ranks with a device each', (by) => {
  const open: Transport[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.close()))
  })

  async function meet(ranks: number, silence?: Silence): Promise<End[]> {
    const links = WIRES[by](ranks)
    return Promise.all(
      Array.from({ length: ranks }, async (_, rank) => {
        const device = (await testDevice()).sibling()
        const transport = await openTransport(device, links(rank), rank)
        open.push(transport)
        return { device, g: new Recorder(device), fabric: new Fabric(transport, silence) }
      }),
    )
  }

  it('brings messages of all sizes bit for bit, whoever asks first, and counts their bytes', async () => {
    const [a, b] = await meet(2)
    // More than the ring of shared memory holds; the smallest; f16 with an odd number of values.
    const sizes = [RING_BYTES / 2, 1, 999, RING_BYTES / 4 + 5]
    const values = sizes.map((size) => random(size))
    const halves = Uint16Array.from({ length: 7 }, (_, i) => 0x3c00 + i)
    const expected = sizes.map((size) => b.fabric.recv(b.g, 0, `asked ${size}`, [{ shape: [size], dtype: 'f32' }]))
    for (const [i, data] of values.entries()) {
      const tensor = a.g.upload(data, [data.length])
      await a.fabric.send(a.g, 1, `asked ${sizes[i]}`, tensor)
      await a.fabric.send(a.g, 1, 'not asked', tensor)
    }
    await a.fabric.send(a.g, 1, 'half', a.g.upload(halves, [7]))
    await a.fabric.sendParts(a.g, 1, 'signal', () => [])
    for (const [i, data] of values.entries()) {
      const [first] = await expected[i]
      expect(same(await b.g.read(first), data)).toBe(true)
      // Messages of one tag come in the order in which they were sent.
      const [second] = await b.fabric.recv(b.g, 0, 'not asked', [{ shape: [sizes[i]], dtype: 'f32' }])
      expect(same(await b.g.read(second), data)).toBe(true)
    }
    const [half] = await b.fabric.recv(b.g, 0, 'half', [{ shape: [7], dtype: 'f16' }])
    expect([...(await b.g.read(half))]).toEqual(Array.from({ length: 7 }, (_, i) => 1 + i / 1024))
    await b.fabric.recvParts(b.g, 0, 'signal', [])
    expect(a.fabric.sent.get('half')).toBe(16) // seven values of two bytes, in whole words
    expect(a.fabric.sent.get('not asked')).toBe(4 * sizes.reduce((sum, size) => sum + size))
    expect(a.fabric.sent.get('signal')).toBe(0)
  })

  it('carries three ranks that all send to each other under many tags at once', async () => {
    const ends = await meet(3)
    const tags = Array.from({ length: 12 }, (_, i) => `tag ${i} ${'long '.repeat(i)}`)
    const received = await Promise.all(
      ends.map(async ({ g, fabric }) => {
        const others = [0, 1, 2].filter((rank) => rank !== fabric.rank)
        const arrivals = others.flatMap((rank) =>
          tags.toReversed().map((tag) => fabric.recv(g, rank, tag, [{ shape: [50], dtype: 'f32' }])),
        )
        for (const [i, tag] of tags.entries()) {
          const data = new Float32Array(50).fill(100 * fabric.rank + i)
          await Promise.all(others.map((rank) => fabric.send(g, rank, tag, g.upload(data, [50]))))
        }
        const tensors = await Promise.all(arrivals)
        const firsts: number[] = []
        for (const [tensor] of tensors) firsts.push((await g.read(tensor))[49])
        return firsts
      }),
    )
    for (const [rank, firsts] of received.entries()) {
      const others = [0, 1, 2].filter((other) => other !== rank)
      expect(firsts).toEqual(others.flatMap((other) => tags.map((_, i) => 100 * other + i).toReversed()))
    }
  })

  it('tells all ranks of the first error of one', async () => {
    const ends = await meet(3)
    const waiting = ends.slice(1).map(({ g, fabric }) => failure(fabric.recvParts(g, 0, 'never', [])))
    ends[0].fabric.fail(new DitError('out-of-memory', 'rank 0 has no room', 'use a smaller picture'))
    for (const error of await Promise.all(waiting)) {
      expect(error).toMatchObject({
        kind: 'out-of-memory',
        message: 'rank 0 has no room',
        hint: 'use a smaller picture',
      })
    }
  })

  it('refuses a message of another size than was expected', async () => {
    const [a, b] = await meet(2)
    const wrong = failure(b.fabric.recv(b.g, 0, 'x', [{ shape: [3], dtype: 'f32' }]))
    await a.fabric.send(a.g, 1, 'x', a.g.upload(new Float32Array(4), [4]))
    expect(await wrong).toMatchObject({
      kind: 'validation',
      message: "rank 1 expects 12 bytes of 'x' from rank 0, and 16 came",
    })
  })
})
