import { describe, expect, it } from 'vitest'
import { RunNoise } from '../../../src/pipelines/noise.ts'
import type { PipelineOptions } from '../../../src/pipelines/options.ts'
import { RewindableGenerator } from '../../../src/pipelines/resume/rewindable.ts'
import type { Generator } from '../../../src/schedulers/generator.ts'

/** Somebody's own numbers: 0, 1, 2 … */
class Counting implements Generator {
  calls = 0
  #next = 0
  randn(shape: readonly number[]): Float32Array {
    this.calls++
    return new Float32Array(shape.reduce((a, b) => a * b, 1)).map(() => this.#next++)
  }
}

describe('the noise of a run', () => {
  it.each<[name: string, options: Pick<PipelineOptions, 'seed' | 'generator' | 'latents'>, shape: number[]]>([
    ['of torch', { seed: 3 }, [2, 4, 5, 5]],
    ['of torch, value by value', { seed: 3 }, [1, 1, 3, 3]],
    ['of a card', { seed: 3, generator: 'cuda' }, [2, 4, 5, 5]],
    ['of a seed for each picture', { seed: [3, 4] }, [2, 4, 5, 5]],
    ['of a seed that nobody gave', {}, [2, 4, 5, 5]],
    ['beside given latents', { latents: new Float32Array(200) }, [2, 4, 5, 5]],
  ])('goes on in another run where it was: %s', (_, options, shape) => {
    const noise = new RunNoise(shape, options)
    noise.initial()
    noise.next()
    // It crosses threads.
    const state = structuredClone(noise.save())
    const [expected, seed] = [[noise.next(), noise.next()], noise.seed]
    const other = new RunNoise(shape, options)
    other.restore(state)
    expect([other.next(), other.next()]).toEqual(expected)
    expect(other.seed).toEqual(seed)
  })

  it("of somebody's own generator is drawn once, and kept while it may be asked for again", () => {
    const own = new Counting()
    const generator = new RewindableGenerator(own)
    const run = () => new RunNoise([1, 1, 2, 2], { generator })
    const noise = run()
    noise.initial()
    const state = noise.save()
    const second = noise.next()
    generator.restore({ next: 0 })
    expect([...run().initial()]).toEqual([0, 1, 2, 3])
    generator.forget(state.generators[0])
    const later = run()
    later.restore(state)
    expect(later.next()).toEqual(second)
    expect([...later.next()]).toEqual([8, 9, 10, 11])
    expect(own.calls).toBe(3)
  })
})
