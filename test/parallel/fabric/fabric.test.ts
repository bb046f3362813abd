import { describe, expect, it } from 'vitest'
import { Fabric } from '../../../src/parallel/fabric/fabric.ts'
import { localTransports } from '../../../src/parallel/fabric/local.ts'
import { whole } from '../../../src/parallel/fabric/transport.ts'
import { DitError } from '../../../src/runtime/errors.ts'
import { add } from '../../../src/runtime/ops/index.ts'
import { Recorder } from '../../../src/runtime/recorder.ts'
import { testDevice } from '../../support/device.ts'
import { failure } from '../../support/failure.ts'
import { random } from '../../support/numbers.ts'
import { type FabricRank, onRanks } from '../../support/ranks.ts'

const halves = (count: number): Uint16Array<ArrayBuffer> =>
  Uint16Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 16))

/** The f16 bits that a tensor of the device holds. */
const halfBits = async ({ g, device }: FabricRank, tensor: Parameters<Recorder['read']>[0]): Promise<Uint16Array> => {
  await g.flush()
  return new Uint16Array(await device.download(tensor.placement!.buffer, tensor.size * 2))
}

describe('messages', () => {
  it('with one tag arrive in the order in which they were sent, whoever comes first', async () => {
    const messages = Array.from({ length: 6 }, (_, k) => random(5 + k))
    await onRanks(2, async ({ g, fabric, index }) => {
      if (index === 0) {
        // Three are sent before anybody waits, three afterwards; nobody waits for the sends.
        const sending = messages.slice(0, 3).map((data) => fabric.send(g, 1, 'x', g.upload(data, [data.length])))
        await fabric.recv(g, 1, 'go', [])
        const more = messages.slice(3).map((data) => {
          const half = g.upload(
            data.map((v) => v / 2),
            [data.length],
          )
          return fabric.send(g, 1, 'x', add(g, half, half))
        })
        await Promise.all([...sending, ...more])
        return
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
      const arriving = messages.map((data) => fabric.recv(g, 0, 'x', [{ shape: [data.length], dtype: 'f32' }]))
      await fabric.send(g, 0, 'go')
      for (const [k, data] of messages.entries()) expect(await g.read((await arriving[k])[0])).toEqual(data)
    })
  })

  it('of several tensors, of all types, odd and empty ones too, arrive bit for bit', async () => {
    const data = { f32: random(15), f16: halves(21), u32: Uint32Array.of(7, 2 ** 32 - 1, 0x7fa00001) }
    const [sent] = await onRanks(2, async (rank) => {
      const { g, fabric, index } = rank
      if (index === 0) {
        const tensors = [
          g.upload(data.f32, [3, 5]),
          g.create([0, 4]),
          g.upload(data.f16, [3, 7]),
          g.upload(data.u32, [3]),
          g.create([2, 0]),
        ]
        await fabric.send(g, 1, 'all', ...tensors)
        return fabric.sent
      }
      const [f32, none, f16, u32] = await fabric.recv(g, 0, 'all', [
        { shape: [3, 5], dtype: 'f32' },
        { shape: [0, 4], dtype: 'f32' },
        { shape: [3, 7], dtype: 'f16' },
        { shape: [3], dtype: 'u32' },
        { shape: [2, 0], dtype: 'f32' },
      ])
      expect(await g.read(f32)).toEqual(data.f32)
      expect(none.shape).toEqual([0, 4])
      expect(await halfBits(rank, f16)).toEqual(data.f16)
      expect(new Uint32Array((await g.read(u32)).buffer)).toEqual(data.u32)
      return fabric.sent
    })
    // 21 f16 take 44 bytes: bindings and copies are of whole words.
    expect([...sent]).toEqual([['all', 60 + 44 + 12]])
  })

  it('hold what was recorded before, and may be written again once sent', async () => {
    await onRanks(2, async ({ g, fabric, index }) => {
      const other = 1 - index
      const x = g.upload(new Float32Array(100).fill(index + 1), [100])
      const y = add(g, x, x)
      await fabric.send(g, other, 'y', y)
      g.release(y)
      g.release(x)
      // Of the same size: takes the buffers that the message was in.
      for (let k = 0; k < 3; k++) g.upload(new Float32Array(100).fill(-1), [100])
      const [came] = await fabric.recv(g, other, 'y', [{ shape: [100], dtype: 'f32' }])
      expect(await g.read(came)).toEqual(new Float32Array(100).fill(2 * other + 2))
    })
  })

  it('fill parts of tensors', async () => {
    const data = random(12)
    await onRanks(2, async ({ g, fabric, index }) => {
      const x = g.upload(index === 0 ? data : new Float32Array(12).fill(9), [12])
      const part = (offset: number, bytes: number) => ({ tensor: x, offset, bytes })
      if (index === 0) await fabric.sendParts(g, 1, 'x', () => [part(4, 8), part(32, 4)])
      else {
        await fabric.recvParts(g, 0, 'x', [part(0, 4), part(40, 8)])
        expect(await g.read(x)).toEqual(Float32Array.of(data[1], 9, 9, 9, 9, 9, 9, 9, 9, 9, data[2], data[8]))
      }
    })
  })

  it('to oneself arrive too', async () => {
    const data = random(9)
    await onRanks(1, async ({ g, fabric }) => {
      await fabric.send(g, 0, 'x', g.upload(data, [9]))
      expect(await g.read((await fabric.recv(g, 0, 'x', [{ shape: [9], dtype: 'f32' }]))[0])).toEqual(data)
    })
  })
})

describe('a barrier', () => {
  it.each([1, 2, 5])('of %d ranks lets nobody through before all have come', async (count) => {
    let arrived = 0
    await onRanks(count, async ({ g, fabric, index }) => {
      const all = Array.from({ length: count }, (_, rank) => rank)
      for (let round = 1; round <= 3; round++) {
        await new Promise((resolve) => setTimeout(resolve, ((index + round) % count) * 5))
        arrived++
        await fabric.barrier(g, all)
        expect(arrived).toBeGreaterThanOrEqual(round * count)
      }
      expect(fabric.sent.get('barrier') ?? 0).toBe(0)
    })
  })

  it('leaves out who is not of the group', async () => {
    await onRanks(3, async ({ g, fabric, index }) => {
      if (index !== 1) await fabric.barrier(g, [0, 2])
    })
  })
})

describe('when something fails', () => {
  it('everybody who waits, or comes later, gets the first error', async () => {
    const cause = new DitError('validation', 'rank 2 had enough')
    const errors: unknown[] = []
    const error = await failure(
      onRanks(3, async ({ g, fabric, index }) => {
        if (index === 2) {
          await fabric.recv(g, 0, 'hello', [])
          throw cause
        }
        try {
          if (index === 0) await fabric.send(g, 2, 'hello')
          await fabric.recv(g, 2, 'never', [{ shape: [4], dtype: 'f32' }])
        } catch (own) {
          errors.push(own)
          errors.push(await failure(fabric.send(g, 0, 'late', g.upload(random(1), [1]))))
          errors.push(await failure(fabric.recv(g, 0, 'late', [])))
          throw own
        }
      }),
    )
    expect(error).toBe(cause)
    expect(errors).toEqual(Array(6).fill(cause))
    expect(new Set(errors).size).toBe(1)
  })

  it('sizes that differ are named', async () => {
    const error = await failure(
      onRanks(2, async ({ g, fabric, index }) => {
        if (index === 0) await fabric.send(g, 1, 'kv', g.upload(random(8), [8]))
        else await fabric.recv(g, 0, 'kv', [{ shape: [5], dtype: 'f32' }])
        await fabric.barrier(g, [0, 1])
      }),
    )
    expect(error.message).toBe("rank 1 expects 20 bytes of 'kv' from rank 0, and 32 came")
  })

  it('tensors that hold nothing are named', async () => {
    await onRanks(1, async ({ g, fabric }) => {
      const empty = await failure(fabric.send(g, 0, 'kv', g.create([3, 4], 'f32', 'keys')))
      expect(empty.message).toContain("'kv' for rank 0 holds nothing: nobody wrote keys [3, 4]")
      const x = g.upload(random(4), [4])
      g.release(x)
      expect((await failure(fabric.send(g, 0, 'kv', x))).message).toContain('it was released')
      expect(fabric.sent.size).toBe(0)
    })
  })

  it('a failure that nobody waits for is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', listen)
    const error = await failure(
      onRanks(2, async ({ g, fabric, index }) => {
        void fabric.recv(g, 1 - index, 'never', [{ shape: [4], dtype: 'f32' }])
        void fabric.recvParts(g, 1 - index, 'never', [])
        if (index === 1) throw new Error('of rank 1')
        await fabric.recv(g, 1, 'neither', [])
      }),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', listen)
    expect(error.message).toBe('of rank 1')
    expect(unhandled).toEqual([])
  })
})

it('in a rehearsal nothing is sent, counted or waited for, and memory is taken as in a run', async () => {
  await onRanks(2, async ({ g, device, fabric, index }) => {
    const pass = async () => {
      const x = g.upload(random(1000), [1000])
      const sending = fabric.send(g, 1 - index, 'x', add(g, x, x))
      const [came] = await fabric.recv(g, 1 - index, 'x', [{ shape: [1000], dtype: 'f32' }])
      await sending
      return add(g, came, x)
    }
    // Rank 1 has not begun: nobody sends to rank 0, and nobody reads.
    if (index === 1) await fabric.recv(g, 0, 'rehearsed', [])
    await g.rehearse(async () => {
      await pass()
      await fabric.barrier(g, [0, 1])
    })
    expect(fabric.sent.size).toBe(0)
    const { reserved } = device.arena
    expect(reserved).toBeGreaterThan(0)
    if (index === 0) await fabric.send(g, 1, 'rehearsed')
    await g.scope(async () => void (await g.read(await pass())))
    expect(device.arena.reserved).toBe(reserved)
    expect(fabric.sent.get('x')).toBe(4000)
  })
})

it('the last rank to close takes along what nobody read', async () => {
  const device = await testDevice()
  const devices = [device.sibling(), device.sibling()]
  const created: GPUBuffer[] = []
  const { gpu } = device
  const original = gpu.createBuffer
  gpu.createBuffer = (descriptor) => {
    const buffer = original.call(gpu, descriptor)
    if (descriptor.label === 'arena') created.push(buffer)
    return buffer
  }
  const transports = localTransports(devices)
  const g = new Recorder(devices[0])
  const x = g.upload(random(64), [64])
  await g.flush()
  await transports[0].send(1, 'unread', [whole(x)])
  gpu.createBuffer = original
  const destroyed: GPUBuffer[] = []
  for (const buffer of created) {
    const destroy = buffer.destroy.bind(buffer)
    buffer.destroy = () => {
      destroyed.push(buffer)
      destroy()
    }
  }
  await transports[0].close()
  await transports[0].close()
  expect(destroyed).toEqual([])
  await transports[1].close()
  expect(destroyed).toEqual([created[1]])
  g.reset()
  for (const sibling of devices) sibling.close()
  expect(destroyed).toHaveLength(2)
  expect(new Fabric(transports[0])).toMatchObject({ rank: 0, size: 2 })
})
