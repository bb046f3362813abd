import type { PipelineOutput } from '../../pipelines/options.ts'
import type { TeamOptions, TeamStep } from '../../pipelines/team/team.ts'
import type { Drawer } from '../drawer.ts'
import { type Picture, TEXT_OPTIONS } from './job.ts'

/**
 * Draws pictures of one shape together, each from its own seed: every one as it would be alone, within the rounding of
 * float32. Whoever waits for them hears of each step.
 *
 * @param about `signal` stops it before the next step; `onStep` is told of each
 */
export async function drawTogether(
  drawer: Drawer,
  pictures: readonly Picture[],
  about: { readonly signal: AbortSignal; onStep(): void },
): Promise<void> {
  const { call, texts } = pictures[0].job.request
  const ownTexts: Partial<TeamOptions> = {}
  for (const name of TEXT_OPTIONS) {
    // All of a shape have the text, or none has.
    if (texts[name] !== undefined) ownTexts[name] = pictures.map(({ job }) => job.request.texts[name]!)
  }
  const output = await drawer.draw(
    pictures.map(({ job }) => job.request.texts.prompt),
    {
      ...call,
      ...ownTexts,
      seed: pictures.map(seedOf),
      signal: about.signal,
      onStep: (step) => {
        about.onStep()
        return tell(pictures, step)
      },
    },
  )
  hand(pictures, output)
}

const seedOf = ({ job, index }: Picture): number => job.request.seeds[index]

async function tell(pictures: readonly Picture[], { step, steps, preview }: TeamStep): Promise<void> {
  const wanted = pictures.some(({ job }) => !job.ended && job.listener.wantsPreview?.(step, steps))
  // Reading it from the device takes time, which nobody should wait for without need.
  const previews = wanted ? await preview() : []
  for (const [i, { job, index }] of pictures.entries()) {
    if (!job.ended) job.listener.stepped?.(index, step, steps, previews[i])
  }
}

function hand(pictures: readonly Picture[], { images, warnings }: PipelineOutput): void {
  for (const [i, picture] of pictures.entries()) {
    picture.job.drew(picture.index, { image: images[i], seed: seedOf(picture), warnings })
  }
}
