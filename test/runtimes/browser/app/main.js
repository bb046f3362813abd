import { DiffusionPipeline, startRank } from 'webdit'

const prompt = 'red apple'
const options = { seed: 7, numInferenceSteps: 4 }

globalThis.drawInWorker = async (model) => {
  const rank = await startRank(model)
  const { images } = await rank.run(prompt, options)
  await rank.close()
  const [{ width, height, data }] = images
  return { width, height, data: [...data] }
}

globalThis.latentsInPage = async (model) => {
  const pipe = await DiffusionPipeline.fromPretrained(model)
  const { latents } = await pipe(prompt, { ...options, outputType: 'latent' })
  pipe.dispose()
  return [...latents.data]
}
