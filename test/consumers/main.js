import { DitError, startRank } from 'webdit'

/** Draws in a worker. */
globalThis.draw = async (model, prompt, call) => {
  const rank = await startRank(model)
  try {
    const steps = []
    const { images } = await rank.run(prompt, { ...call, onStep: ({ step }) => steps.push(step) })
    const refused = await rank.run(prompt, { ...call, height: 81 }).catch((error) => error)
    const [{ width, height, data }] = images
    return { width, height, data: [...data], steps, refused: refused instanceof DitError && refused.kind }
  } finally {
    await rank.close()
  }
}
