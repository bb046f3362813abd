import { expect, it } from 'vitest'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { LocalMesh } from '../../src/parallel/crew/local_ranks.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { Recorder } from '../../src/runtime/recorder.ts'
import { testDevice } from '../support/device.ts'
import { denoisePart, loadPart, type Pictures } from '../support/divided.ts'
import { random } from '../support/numbers.ts'
import { randomPixArt } from '../support/random_pixart.ts'
import { schedule } from '../support/schedule.ts'

const [STEPS, PATCHES] = [5, 2]
const pictures: Pictures = {
  count: 1,
  height: 16,
  width: 16,
  channels: 4,
  textLength: 7,
  captionChannels: 24,
  captions: random(2 * 7 * 24),
  mask: new Float32Array(14).fill(1),
  guidance: 4.5,
}

// Each patch needs its own latents of the step before, and nothing of its own step: stages work side by side.
it('begins the next patch while the one before is in the next stage', async () => {
  const degrees = { ...ONE_RANK, pipefusion: 2 }
  const mesh = new LocalMesh(await testDevice(), { ...ON_ONE_DEVICE, degrees, numPipelinePatch: PATCHES })
  mesh.trace()
  const source = randomPixArt()
  const latents = random(4 * 16 * 16)
  await Promise.all(
    mesh.ranks.map(async (local) => {
      const rank = { ...local, g: new Recorder(local.device) }
      const part = await loadPart(rank, source)
      await denoisePart(rank, part, pictures, latents, schedule(STEPS))
      part.weights.free()
    }),
  )
  const computed = (rank: number, step: number, patch: number) =>
    mesh.ranks[rank].ranks.timeline!.spans.find(
      (span) => span.kind === 'compute' && span.step === step && span.patch === patch,
    )!
  // In some step: a machine with other work may hold a stage up, but nothing makes those overlap that wait for each other.
  const steps = Array.from({ length: STEPS - 1 }, (_, i) => i + 1)
  expect(steps.filter((step) => computed(0, step, 1).start < computed(1, step, 0).end)).not.toEqual([])
  await mesh.close()
})
