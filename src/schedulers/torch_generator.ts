import {
  countOf,
  type GeneratorState,
  type NoiseType,
  type ResumableGenerator,
  roundedTo,
  seedBits,
} from './generator.ts'
import { Mt19937 } from './mt19937.ts'

/** Tensors with at least this many values are filled group by group, smaller ones value by value. */
const GROUP = 16

/**
 * torch's CPU random generator: `new TorchGenerator(42).randn([1, 4, 64, 64])` gives the numbers of
 * `torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(42))`. Successive calls go on where the last ended.
 *
 * Small tensors agree exactly. From 16 values up torch takes logarithm, sine and cosine from the CPU's vector
 * library: within 2e-6.
 */
export class TorchGenerator implements ResumableGenerator {
  private readonly twister: Mt19937
  /** The second value of a Box-Muller pair of small tensors waits here, across calls. */
  private waiting: number | undefined

  /** @throws DitError bad-argument unless `seed` is an integer (above 2^53 a bigint); its low 32 bits count. */
  constructor(seed: number | bigint) {
    this.twister = new Mt19937(Number(seedBits(seed, 32)))
  }

  randn(shape: readonly number[], dtype: NoiseType = 'float32'): Float32Array {
    const count = countOf(shape)
    const values = new Float32Array(count)
    if (count < GROUP) for (let i = 0; i < count; i++) values[i] = this.single()
    else this.fill(values, dtype)
    return roundedTo(dtype, values)
  }

  save(): GeneratorState {
    return { ...this.twister.save(), waiting: this.waiting }
  }

  restore(state: GeneratorState): void {
    this.twister.restore(state as { words: Uint32Array; next: number })
    this.waiting = state.waiting as number | undefined
  }

  private fill(values: Float32Array, dtype: NoiseType): void {
    const count = values.length
    const tail = count % GROUP
    // Uniforms are drawn for the whole tensor first, and turned into normals in place.
    const uniforms = dtype === 'float32' ? count : count - tail
    for (let i = 0; i < uniforms; i++) values[i] = this.uniform24()
    for (let i = 0; i + GROUP <= count; i += GROUP) boxMuller(values.subarray(i, i + GROUP))
    if (tail === 0) return
    // The last 16 are drawn anew, over what the last full group left there.
    const last = values.subarray(count - GROUP)
    for (let i = 0; i < GROUP; i++) last[i] = this.uniform24()
    boxMuller(last)
  }

  private single(): number {
    if (this.waiting !== undefined) {
      const value = this.waiting
      this.waiting = undefined
      return value
    }
    const angle = 2 * Math.PI * this.uniform53()
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform53()))
    this.waiting = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  private uniform24(): number {
    return (this.twister.word() & 0xffffff) / 2 ** 24
  }

  private uniform53(): number {
    const high = this.twister.word() & 0x1fffff
    return (high * 2 ** 32 + this.twister.word()) / 2 ** 53
  }
}

function boxMuller(group: Float32Array): void {
  for (let j = 0; j < GROUP / 2; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - group[j]))
    const angle = Math.fround(Math.fround(2 * Math.PI) * group[j + GROUP / 2])
    group[j] = radius * Math.cos(angle)
    group[j + GROUP / 2] = radius * Math.sin(angle)
  }
}
