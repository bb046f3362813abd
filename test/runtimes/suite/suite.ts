import { ON_ONE_DEVICE } from '../../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../../src/parallel/mesh/mesh.ts'
import { DiffusionPipeline } from '../../../src/pipelines/diffusion_pipeline.ts'
import { startTeam, type TeamKind } from '../../../src/pipelines/team/start_team.ts'
import { Device } from '../../../src/runtime/device.ts'
import type { DitError } from '../../../src/runtime/errors.ts'
import { currentRuntime, openPlatform } from '../../../src/runtime/platform/platform.ts'
import { relativeL2 } from '../../support/numbers.ts'
import type { Result } from '../deno/f16/check.ts'
import { products } from '../deno/f16/products.ts'

/** What every runtime is asked for: plain data, so that it crosses processes and pages. */
export interface SuiteResult {
  readonly runtime: string
  readonly device: string
  readonly tier: string
  /** Kernels at odd sizes beside plain loops. */
  readonly kernels: readonly Result[]
  /** 8-bit RGB, rows from the top. */
  readonly picture: { readonly width: number; readonly height: number; readonly data: number[] }
  /** Steps heard of, and the kind of the error. */
  readonly cancelled: { readonly steps: number; readonly kind: string }
  readonly lost: { readonly steps: number; readonly kind: string; readonly again: string }
  /** Four ranks beside one device: how far their latents are, relative L2, and what each sent. */
  readonly mesh: { readonly distance: number; readonly sent: readonly (readonly string[])[] }
}

const PROMPT = 'red apple'
const CALL = { height: 64, width: 64, seed: 7, numInferenceSteps: 4 } as const
const MESH = { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, cfg: 2, ulysses: 2 } }

/** @param kind where the four ranks run; workers by default, but in Node, where they are processes of the built package */
export async function runSuite(model: string, kind?: TeamKind): Promise<SuiteResult> {
  const platform = await openPlatform()
  const device = await Device.open(platform, { tier: 'f32', checked: true })
  const { name, tier } = device
  const kernels: Result[] = []
  for await (const result of products(device)) kernels.push(result)

  const pipe = await DiffusionPipeline.fromPretrained(model, { device, onDeviceLoss: 'fail' })
  const { images, latents } = await pipe(PROMPT, CALL)
  const [{ width, height, data }] = images
  const alone = latents.data.slice()

  const stop = new AbortController()
  const cancelled = await ended((onStep) =>
    pipe(PROMPT, { ...CALL, numInferenceSteps: 50, signal: stop.signal, onStep: onStep(() => stop.abort()) }),
  )
  const lost = await ended((onStep) =>
    pipe(PROMPT, { ...CALL, numInferenceSteps: 50, onStep: onStep(() => device.gpu.destroy()) }),
  )
  const again = await kindOf(() => pipe(PROMPT, CALL))
  pipe.dispose()
  device.close()
  platform.close()

  const team = await startTeam(model, MESH, { tier: 'f32', kind })
  const together = await team.run(PROMPT, { ...CALL, outputType: 'latent' })
  const sent = (await team.sent()).map((tags) => [...tags.keys()].sort())
  await team.close()
  return {
    ...{ runtime: currentRuntime(), device: name, tier, kernels },
    picture: { width, height, data: [...data] },
    cancelled,
    lost: { ...lost, again },
    mesh: { distance: relativeL2(together.latents.data, alone), sent },
  }
}

/** Does something in the second step of a run of many; how many it heard of, and how it ended. */
async function ended(
  run: (onStep: (then: () => void) => () => void) => Promise<unknown>,
): Promise<{ steps: number; kind: string }> {
  let steps = 0
  const kind = await kindOf(() =>
    run((then) => () => {
      if (++steps === 2) then()
    }),
  )
  return { steps, kind }
}

const kindOf = (run: () => Promise<unknown>): Promise<string> =>
  run().then(
    () => 'it went well',
    (error: DitError) => error.kind ?? String(error),
  )
