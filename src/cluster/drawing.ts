import type { RgbBytes } from '../pipelines/image/lanczos.ts'
import { randomSeed } from '../pipelines/noise.ts'
import { type PipelineOutput, perPrompt } from '../pipelines/options.ts'
import type { TeamOptions, TeamStep } from '../pipelines/team/team.ts'
import type { Caller } from './jobs/caller.ts'
import { joined } from './joined.ts'

/** What a call gives to each prompt. */
const TEXTS = ['prompt2', 'prompt3', 'negativePrompt', 'negativePrompt2', 'negativePrompt3'] as const

/**
 * Draws each prompt as a job of its own: the pictures of one are those that a device draws of it alone with the same seed,
 * whichever node has it. Steps are told of all jobs together: how many of all steps are done.
 *
 * @param digest of the model
 * @param previews whether somebody looks at pictures as they form; they are those of the job that took a step
 */
export async function drawOnCluster(
  caller: Pick<Caller, 'draw'>,
  digest: string,
  prompts: readonly string[],
  { onStep, ...given }: TeamOptions,
  previews = false,
): Promise<PipelineOutput> {
  const call = { ...given, seed: given.seed ?? (given.latents ? undefined : randomSeed()) }
  const done = prompts.map(() => 0)
  const outputs = await Promise.all(
    prompts.map((prompt, k) => {
      const own = {
        ...ofPrompt(call, prompts.length, k),
        onStep: (info: TeamStep) => {
          done[k] = info.step
          const step = done.reduce((a, b) => a + b, 0)
          return onStep?.({ ...info, step, steps: info.steps * prompts.length })
        },
      }
      return caller.draw(digest, [prompt], own, previews)
    }),
  )
  return joined(outputs, call.seed)
}

/** What of a call is for one of its prompts. */
function ofPrompt<T extends Omit<TeamOptions, 'onStep'>>(call: T, prompts: number, k: number): T {
  if (prompts === 1) return call
  const pictures = call.numImagesPerPrompt ?? 1
  const own: Partial<TeamOptions> = {}
  for (const name of TEXTS) if (call[name] !== undefined) own[name] = perPrompt(name, call[name], prompts)[k]
  const { seed, latents, image } = call
  if (Array.isArray(seed)) own.seed = seed.slice(k * pictures, (k + 1) * pictures)
  if (latents) own.latents = latents.subarray((k * latents.length) / prompts, ((k + 1) * latents.length) / prompts)
  if (Array.isArray(image) && image.length > 1) own.image = (image as RgbBytes[])[k]
  return { ...call, ...own }
}
