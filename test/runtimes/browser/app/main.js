import { DiffusionPipeline, startRank } from 'webdit'

globalThis.drawInWorker = async (model) => {
  const rank = await startRank(model)
  const { images } = await rank.run('red apple', { seed: 7, numInferenceSteps: 4 })
  await rank.close()
  const [{ width, height, data }] = images
  return { width, height, data: [...data] }
}

globalThis.loadInPage = async (model) => {
  const pipe = await DiffusionPipeline.fromPretrained(model)
  pipe.dispose()
  return pipe.className
}
