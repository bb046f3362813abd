import { expect } from 'vitest'
import { ON_ONE_DEVICE, type ParallelConfig } from '../../../src/parallel/config/parallel_config.ts'
import { type Block, bytesSent, type Workload } from '../../../src/parallel/cost/bytes.ts'
import { type Degrees, ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import type { Device } from '../../../src/runtime/device.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'
import { denoisePart, loadPart, type Pictures } from '../../support/divided.ts'
import { random } from '../../support/numbers.ts'
import { type RandomPixArt, randomPixArt } from '../../support/random_pixart.ts'
import { onMesh, type TestRank } from '../../support/ranks.ts'
import { schedule } from '../../support/schedule.ts'

export const config = (degrees: Partial<Degrees>, rest: Partial<ParallelConfig> = {}): ParallelConfig => ({
  ...ON_ONE_DEVICE,
  ...rest,
  degrees: { ...ONE_RANK, ...degrees },
})

/** A block of self-attention, cross-attention and feed-forward: PixArt's, as far as bytes are concerned. */
export const BLOCK: Block = {
  attentions: { image: 1, joint: 0 },
  sums: { image: 3, text: 0 },
  flops: { image: 0, text: 0 },
}

/** A request of random numbers to a small random PixArt: nine rows of three tokens unless told otherwise. */
export class SmallRequest {
  readonly workload: Workload
  readonly #source: Source
  readonly #pictures: Pictures
  readonly #noise: Float32Array

  constructor(
    { pictures = 1, steps = 3, rows = 9, columns = 3 },
    { layers = 4, heads = 10, headDim = 4 }: RandomPixArt = {},
    elementBytes = { stream: 4, operand: 4 },
  ) {
    this.#source = randomPixArt({ layers, heads, headDim })
    this.#pictures = {
      count: pictures,
      height: rows * 2,
      width: columns * 2,
      textLength: 3,
      captions: random(2 * pictures * 3 * 24),
      captionChannels: 24,
      mask: new Float32Array(2 * pictures * 3).fill(1),
      channels: 4,
      guidance: 4.5,
    }
    this.#noise = random(pictures * 4 * rows * 2 * columns * 2, 1.7)
    this.workload = {
      blocks: Array<Block>(layers).fill(BLOCK),
      heads,
      headDim,
      outputs: 2 * 2 * 8,
      grid: { rows, columns },
      pictures,
      guided: true,
      steps,
      latents: { channels: 4, patch: 2 },
      elementBytes,
    }
  }

  /** What the fabric of each rank has counted when it is drawn; on the test device unless told otherwise. */
  counted(mesh: ParallelConfig, device?: Device): Promise<ReadonlyMap<string, number>[]> {
    const draw = async (rank: TestRank) => {
      const part = await loadPart(rank, this.#source)
      await denoisePart(rank, part, this.#pictures, this.#noise, schedule(this.workload.steps))
      part.weights.free()
      return rank.ranks.fabric!.sent
    }
    return onMesh(mesh, draw, device)
  }

  /**
   * Expects that every rank has sent what the formulas say, tag by tag, and nothing else.
   *
   * @param tags all that somebody sends something with
   */
  async check(mesh: ParallelConfig, tags: readonly string[], device?: Device): Promise<void> {
    const counted = (await this.counted(mesh, device)).map((sent) => Object.fromEntries(sent))
    expect(bytesSent(mesh, this.workload).map((sent) => Object.fromEntries(sent))).toEqual(counted)
    expect(new Set(counted.flatMap((sent) => Object.keys(sent)))).toEqual(new Set(tags))
  }
}
