import { DiffusionPipeline, ON_ONE_DEVICE, ONE_RANK, startRank, startTeam } from 'webdit'

globalThis.drawInWorker = async (model) => {
  const rank = await startRank(model)
  const { images } = await rank.run('red apple', { seed: 7, numInferenceSteps: 2 })
  await rank.close()
  const [{ width, height, data }] = images
  return { width, height, data: [...data] }
}

globalThis.loadInPage = async (model) => {
  const pipe = await DiffusionPipeline.fromPretrained(model)
  pipe.dispose()
  return pipe.className
}

const workers = []
globalThis.Worker = class extends Worker {
  constructor(...args) {
    super(...args)
    workers.push(this)
  }
}

const team = (model, onDeviceLoss) =>
  startTeam(model, { ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ulysses: 2 } }, { tier: 'f32', onDeviceLoss })
const call = { height: 64, width: 64, seed: 7, numInferenceSteps: 4, outputType: 'latent' }

/** Two ranks, each in a worker. */
globalThis.drawTogether = async (model) => {
  const ranks = await team(model)
  const { latents } = await ranks.run('red apple', call)
  const sent = (await ranks.sent()).map((tags) => tags.get('ulysses.qkv') ?? 0)
  await ranks.close()
  return { latents: [...latents.data], sent, shared: typeof SharedArrayBuffer !== 'undefined' }
}

/** What is heard of a rank whose worker ends in the midst of a picture. */
globalThis.loseRank = async (model) => {
  const ranks = await team(model, 'fail')
  const onStep = ({ step }) => step === 2 && workers.at(-1).terminate()
  const began = performance.now()
  const error = await ranks.run('red apple', { ...call, onStep }).catch((reason) => reason)
  return { message: error.message, seconds: (performance.now() - began) / 1000 }
}
