import { DitError } from '../runtime/errors.ts'
import {
  countOf,
  type GeneratorState,
  type NoiseType,
  type ResumableGenerator,
  roundedTo,
  seedBits,
} from './generator.ts'
import { philox4x32 } from './philox.ts'

/** What of a graphics card its random numbers depend on, for tensors of more values than it runs threads at once. */
export interface CudaCard {
  readonly multiprocessors: number
  readonly threadsPerMultiprocessor: number
}

/** 270,336 threads; smaller cards give other numbers above their own count: 196,608 on an RTX 4090 (128 · 1536). */
export const H100: CudaCard = { multiprocessors: 132, threadsPerMultiprocessor: 2048 }

/** Threads of a block of torch's kernel. */
const BLOCK = 256
/** Normals that a thread makes of one counter. */
const NORMALS = 4

/**
 * torch's CUDA random generator: `new CudaGenerator(42).randn([1, 4, 64, 64])` gives the numbers of
 * `torch.randn(1, 4, 64, 64, device='cuda', generator=torch.Generator('cuda').manual_seed(42))`.
 *
 * In double precision: a card's fast sine and cosine are within 2.3e-5 of it.
 */
export class CudaGenerator implements ResumableGenerator {
  private key: readonly [number, number]
  private readonly card: CudaCard
  /** Numbers that each thread has drawn; a multiple of 4. */
  private offset = 0

  /** @throws DitError bad-argument unless `seed` is an integer (above 2^53 a bigint; 64 bits count), or for no card */
  constructor(seed: number | bigint, card: CudaCard = H100) {
    const bits = seedBits(seed, 64)
    this.key = [Number(bits & 0xffffffffn), Number(bits >> 32n)]
    for (const count of [card.multiprocessors, card.threadsPerMultiprocessor / BLOCK]) {
      if (Number.isInteger(count) && count >= 1 && count <= 65_536) continue
      throw new DitError(
        'bad-argument',
        `a card of ${card.multiprocessors} multiprocessors with ${card.threadsPerMultiprocessor} threads each`,
        'Give whole numbers, the threads a multiple of 256: torch.cuda.get_device_properties(0) tells them.',
      )
    }
    this.card = card
  }

  randn(shape: readonly number[], dtype: NoiseType = 'float32'): Float32Array {
    const count = countOf(shape)
    const values = new Float32Array(count)
    const { multiprocessors, threadsPerMultiprocessor } = this.card
    const resident = multiprocessors * (threadsPerMultiprocessor / BLOCK)
    const threads = BLOCK * Math.min(resident, Math.ceil(count / BLOCK))
    // Normal k of round q of thread i goes to place (4 q + k) · threads + i.
    for (let start = 0; start < count; start += NORMALS * threads) {
      this.round(values.subarray(start), threads)
      this.offset += NORMALS
    }
    return roundedTo(dtype, values)
  }

  save(): GeneratorState {
    return { low: this.key[0], high: this.key[1], offset: this.offset }
  }

  restore({ low, high, offset }: GeneratorState): void {
    this.key = [low as number, high as number]
    this.offset = offset as number
  }

  private round(values: Float32Array, threads: number): void {
    const block = this.offset / NORMALS
    const [low, high] = [block >>> 0, Math.floor(block / 2 ** 32)]
    const words = new Uint32Array(4)
    for (let thread = 0; thread < Math.min(threads, values.length); thread++) {
      philox4x32(this.key, [low, high, thread, 0], words)
      for (let pair = 0; pair < 2; pair++) {
        const at = 2 * pair * threads + thread
        if (at >= values.length) break
        const radius = Math.sqrt(-2 * Math.log((words[2 * pair] + 0.5) / 2 ** 32))
        const angle = (2 * Math.PI * (words[2 * pair + 1] + 0.5)) / 2 ** 32
        values[at] = radius * Math.sin(angle)
        if (at + threads < values.length) values[at + threads] = radius * Math.cos(angle)
      }
    }
  }
}
