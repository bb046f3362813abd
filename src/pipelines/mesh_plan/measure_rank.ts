import type { Ranks } from '../../parallel/crew/ranks.ts'
import { allToAll } from '../../parallel/fabric/collectives.ts'
import type { Device } from '../../runtime/device.ts'
import { storedAs } from '../../runtime/kernels.ts'
import { attention, linear } from '../../runtime/ops/index.ts'
import { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'

/** Layers as the model has them. */
export interface MeasuredShapes {
  readonly tokens: number
  readonly heads: number
  readonly headDim: number
}

/** What one rank measured while all others did the same. */
export interface RankFigures {
  /** FLOP/s. */
  readonly linear: number
  readonly attention: number
  /** Seconds of attention for each key with few queries. */
  readonly perKey: number
  /** Bytes a second to all others together, and seconds of the smallest exchange; none where there is one rank. */
  readonly link?: { readonly bandwidth: number; readonly latency: number }
}

/** How long each measurement goes on, in ms. */
const DURATION = 300
/** Bytes to each other rank at once. */
const MESSAGE = 4 * 2 ** 20
/** Exchanges that are timed. */
const [LARGE, SMALL] = [8, 40]

/** Measures this rank's device on layers of the model's shapes, and its links to the others. */
export async function measureRank(device: Device, ranks: Ranks, shapes: MeasuredShapes): Promise<RankFigures> {
  const { fabric, mesh } = ranks
  const g = new Recorder(device)
  const all = Array.from({ length: mesh.size }, (_, rank) => rank)
  const together = async () => {
    if (fabric) await fabric.barrier(g, all, 'measuring')
  }
  try {
    const most = device.target.software ? 64 : 4096
    const [tokens, width] = [Math.min(shapes.tokens, most), shapes.heads * shapes.headDim]
    const operand = (...shape: number[]) => g.keep(shape, storedAs(device.target, 'operand'), 'measured')
    const [x, weight] = [operand(1, tokens, width), operand(4 * width, width)]
    const [q, k, v] = Array.from({ length: 3 }, () => operand(1, tokens, width))
    await together()
    const linears = await rate(g, 2 * tokens * width * 4 * width, () => linear(g, x, { weight }, { as: 'operand' }))
    await together()
    const attend = () => attention(g, { q, k, v, heads: shapes.heads })
    const attentions = await rate(g, 4 * tokens * tokens * width, attend)
    const few = { q: operand(1, Math.max(1, tokens >> 5), width), k, v, heads: shapes.heads }
    const perKey = 1 / (await rate(g, tokens, () => attention(g, few)))
    await together()
    return {
      linear: linears,
      attention: attentions,
      perKey,
      link: fabric && mesh.size > 1 ? await measureLinks() : undefined,
    }
  } finally {
    g.reset()
  }

  async function measureLinks() {
    const group = { ranks: all, index: mesh.rank }
    const exchange = async (bytes: number, times: number): Promise<number> => {
      const own = g.keep([bytes / 4], 'f32', 'measured')
      const specs = all.map(() => [{ shape: own.shape, dtype: own.dtype }])
      const once = () =>
        g.scope(async () => void (await allToAll(g, fabric!, group, 'measuring', Array(mesh.size).fill([own]), specs)))
      await once() // makes staging buffers
      await together()
      const seconds: number[] = []
      for (let i = 0; i < times; i++) {
        const began = performance.now()
        await once()
        seconds.push((performance.now() - began) / 1000)
      }
      return seconds.sort((a, b) => a - b)[times >> 1]
    }
    const latency = await exchange(4, SMALL)
    const seconds = await exchange(MESSAGE, device.target.software ? 2 : LARGE)
    const bytes = MESSAGE * (mesh.size - 1)
    return { latency, bandwidth: bytes / Math.max(seconds - latency, seconds / 10) }
  }
}

/** FLOP/s of what `record` records: of the fastest of some passes, since other programs can only slow it down. */
async function rate(g: Recorder, flops: number, record: () => Tensor): Promise<number> {
  const pass = async (repeats: number): Promise<number> => {
    const began = performance.now()
    await g.scope(async () => {
      for (let i = 0; i < repeats; i++) g.release(record())
      await g.flush()
    })
    await g.device.finished()
    return performance.now() - began
  }
  await pass(1) // compiles
  const repeats = Math.min(200, Math.max(1, Math.floor(DURATION / 3 / (await pass(1)))))
  const end = performance.now() + DURATION
  let fastest = Number.POSITIVE_INFINITY
  do fastest = Math.min(fastest, await pass(repeats))
  while (performance.now() < end)
  return (flops * repeats) / (fastest / 1000)
}
