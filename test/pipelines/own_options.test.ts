import { describe, expect, it } from 'vitest'
import { FAMILIES } from '../../src/pipelines/families/index.ts'
import type { PipelineOptions } from '../../src/pipelines/options.ts'
import { checkOwnOptions } from '../../src/pipelines/own_options.ts'

const check = (className: string, options: PipelineOptions) => () =>
  checkOwnOptions(className, FAMILIES[className], options)

describe('options that some families have', () => {
  it.each<[string, PipelineOptions, RegExp]>([
    ['HunyuanDiTPipeline', { maxSequenceLength: 120 }, /maxSequenceLength is given, which HunyuanDiTPipeline does not/],
    ['HunyuanDiTPipeline', { trueCfgScale: 2 }, /trueCfgScale/],
    ['FluxPipeline', { guidanceRescale: 0.5 }, /guidanceRescale/],
    ['FluxPipeline', { prompt3: 'a cat' }, /prompt3/],
    ['PixArtSigmaPipeline', { clipSkip: 1 }, /clipSkip/],
    ['StableDiffusion3Pipeline', { trueCfgScale: 1 }, /trueCfgScale/],
  ])('are refused by the others: %s %o', (className, options, message) => {
    expect(check(className, options)).toThrow(message)
  })

  it.each<[string, PipelineOptions]>([
    ['HunyuanDiTPipeline', { guidanceRescale: 0.5, prompt2: undefined }],
    ['FluxPipeline', { trueCfgScale: 2, prompt2: 'a cat', maxSequenceLength: 128 }],
    ['StableDiffusion3Pipeline', { prompt3: 'a cat', clipSkip: 1 }],
    ['PixArtAlphaPipeline', { maxSequenceLength: 40, guidanceScale: 3 }],
  ])('are taken where diffusers takes them: %s %o', (className, options) => {
    expect(check(className, options)).not.toThrow()
  })
})
