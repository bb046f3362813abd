import type { PipelineOutput } from '../pipelines/options.ts'

/** What came of parts of a request, in their order, as one. */
export function joined(outputs: readonly PipelineOutput[], seed: PipelineOutput['seed']): PipelineOutput {
  const data = new Float32Array(outputs.reduce((sum, { latents }) => sum + latents.data.length, 0))
  let at = 0
  for (const { latents } of outputs) {
    data.set(latents.data, at)
    at += latents.data.length
  }
  const pictures = outputs.reduce((sum, { latents }) => sum + latents.shape[0], 0)
  const spared = outputs.flatMap((output) => output.spared ?? [])
  return {
    images: outputs.flatMap(({ images }) => images),
    latents: { data, shape: [pictures, ...outputs[0].latents.shape.slice(1)] },
    warnings: [...new Set(outputs.flatMap(({ warnings }) => warnings))],
    seed: seed ?? outputs[0].seed,
    ...(spared.length > 0 && { spared }),
  }
}
