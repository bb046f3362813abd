import { join } from 'node:path'
import { DitImage } from '../../src/pipelines/image/image.ts'
import { type ModelFacts, modelFacts } from '../../src/pipelines/model_facts.ts'
import { openModel } from '../../src/pipelines/open_model.ts'
import type { PipelineOutput } from '../../src/pipelines/options.ts'
import type { TeamOptions } from '../../src/pipelines/team/team.ts'
import { throwIfAborted } from '../../src/runtime/abort.ts'
import type { Drawer } from '../../src/server/drawer.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts'
import { Serving, type ServingOptions } from '../../src/server/serving.ts'
import { GOLDEN } from '../support/golden_io.ts'

export const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')

let facts: Promise<ModelFacts> | undefined
export const testFacts = (): Promise<ModelFacts> => {
  facts ??= openModel(MODEL).then((source) => modelFacts(source).finally(() => source.close()))
  return facts
}

/** Stands in for a device where only the server is tested: pictures tell what they were drawn from, steps wait for the test. */
export class TestDrawer implements Drawer {
  /** Prompts and options of each batch. */
  readonly calls: { readonly prompts: string[]; readonly call: TeamOptions }[] = []
  steps = 1
  closed = false
  /** Awaited before each step. */
  before: () => Promise<unknown> = async () => {}
  /** What goes wrong with a batch. */
  failure: (prompts: string[]) => Error | undefined = () => undefined

  async draw(prompts: string[], call: TeamOptions): Promise<PipelineOutput> {
    this.calls.push({ prompts, call })
    for (let step = 1; step <= this.steps; step++) {
      await this.before()
      throwIfAborted(call.signal)
      const preview = async () => prompts.map((prompt, i) => pictureOf(prompt, seedsOf(call)[i], 2, 2))
      await call.onStep?.({ step, steps: this.steps, timestep: 0, preview })
    }
    const failure = this.failure(prompts)
    if (failure) throw failure
    const { height = 32, width = 32 } = call
    const images = prompts.map((prompt, i) => pictureOf(prompt, seedsOf(call)[i], height, width))
    const latents = { data: new Float32Array(), shape: [0] }
    return { images, latents, warnings: [], seed: call.seed }
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

const seedsOf = ({ seed }: TeamOptions): readonly number[] => seed as readonly number[]

function pictureOf(prompt: string, seed: number, height: number, width: number): DitImage {
  let h = seed >>> 0
  for (const letter of prompt) h = Math.imul(h ^ letter.codePointAt(0)!, 0x01000193)
  return new DitImage(width, height, new Uint8Array(3 * height * width).fill(h & 0xff))
}

/** A server over such drawers, or others. */
export async function testServing(
  drawers: readonly Drawer[],
  { limits, ...options }: Partial<Omit<ServingOptions, 'limits'>> & { limits?: Partial<Limits> } = {},
): Promise<Serving> {
  return new Serving(
    drawers.map((drawer) => ({ drawer, open: async () => drawer })),
    {
      model: { id: 'tiny', facts: await testFacts(), config: undefined, since: 1 },
      limits: { ...DEFAULT_LIMITS, ...limits },
      access: { keys: [], loopback: true },
      version: '0',
      onNote() {},
      ...options,
    },
  )
}

/** Settles when it is told to. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
