import { DitError, type Rank, startRank } from '../src/index.ts'
import {
  cancelButton,
  type Failure,
  form,
  showBusy,
  showFailure,
  showPicture,
  showPreview,
  showProgress,
} from './view.ts'
import { adviceForBrowser, missingWebGpu } from './webgpu_help.ts'

/** A diffusers folder: an address, or a path relative to this page. */
const model = new URLSearchParams(location.search).get('model') ?? 'models/emoji-pixart'

/** Everything is computed in the rank's worker; it is started with the first picture and kept. */
let rank: Rank | undefined

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const stop = new AbortController()
  const cancel = () => stop.abort()
  cancelButton.addEventListener('click', cancel)
  showFailure(undefined)
  showBusy(true)
  try {
    await draw(new FormData(form), stop.signal)
    showProgress('')
  } catch (error) {
    showProgress(stop.signal.aborted ? 'Cancelled.' : '')
    if (!stop.signal.aborted) showFailure(await failureOf(error))
  } finally {
    cancelButton.removeEventListener('click', cancel)
    showBusy(false)
  }
})

showFailure(missingWebGpu())

async function draw(fields: FormData, signal: AbortSignal): Promise<void> {
  rank ??= await load(signal)
  const prompt = String(fields.get('prompt'))
  const seed = fields.get('seed')
  const began = performance.now()
  showProgress('Preparing')
  const output = await rank.run(prompt, {
    numInferenceSteps: Number(fields.get('steps')),
    seed: seed ? Number(seed) : undefined,
    signal,
    onStep({ step, steps, previews: [preview] }) {
      showProgress(`Step ${step} of ${steps}`, step / steps)
      if (preview) showPreview(preview, step)
    },
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const about = [`seed ${output.seed}`, `${seconds} s`, rank.deviceName, ...output.warnings]
  showPicture(output.images[0], prompt, about.join(' · '))
}

async function load(signal: AbortSignal): Promise<Rank> {
  const missing = missingWebGpu()
  if (missing) throw new DitError('no-adapter', missing.message, missing.hint)
  showProgress('Loading the model')
  return startRank(model, {
    signal,
    onProgress: (component, loaded, total) =>
      showProgress(`Loading ${component}: ${megabytes(loaded)} of ${megabytes(total)} MB`, loaded / total),
  })
}

/** What to say of an error. After some of them nothing more comes from the rank, so the next picture starts another. */
async function failureOf(error: unknown): Promise<Failure> {
  if (!(error instanceof DitError)) return { message: `Something went wrong: ${error}`, hint: 'Reload the page.' }
  if (error.kind === 'device-lost' || error.kind === 'validation') {
    await rank?.close()
    rank = undefined
  }
  return { message: error.message, hint: error.kind === 'no-adapter' ? adviceForBrowser() : error.hint }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
