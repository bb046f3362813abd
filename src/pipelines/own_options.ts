import { DitError } from '../runtime/errors.ts'
import type { Family } from './family.ts'
import type { PipelineOptions } from './options.ts'

/** Options that some families have and others do not, as in diffusers. */
const OWN = [
  'prompt2',
  'prompt3',
  'negativePrompt2',
  'negativePrompt3',
  'trueCfgScale',
  'clipSkip',
  'guidanceRescale',
  'maxSequenceLength',
  'skipGuidanceLayers',
  'skipLayerGuidanceScale',
  'skipLayerGuidanceStart',
  'skipLayerGuidanceStop',
  'image',
  'strength',
] as const satisfies (keyof PipelineOptions)[]

export type OwnOption = (typeof OWN)[number]

/** @throws DitError 'bad-argument' for an option that the family would not heed */
export function checkOwnOptions(className: string, { ownOptions }: Family, options: PipelineOptions): void {
  const strange = OWN.find((name) => options[name] !== undefined && !ownOptions.includes(name))
  if (!strange) return
  const has =
    ownOptions.length > 0
      ? `of ${OWN.join(', ')} it takes ${ownOptions.join(', ')}`
      : `it takes none of ${OWN.join(', ')}`
  throw new DitError('bad-argument', `${strange} is given, which ${className} does not take`, `Leave it out: ${has}.`)
}
