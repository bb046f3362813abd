import type { ParallelConfig } from '../../parallel/config/parallel_config.ts'
import { dealt } from '../../parallel/crew/dealt.ts'
import type { Ranks } from '../../parallel/crew/ranks.ts'
import { Mesh, sizeOf } from '../../parallel/mesh/mesh.ts'
import { throwIfAborted } from '../../runtime/abort.ts'
import type { DitError } from '../../runtime/errors.ts'
import type { Share } from '../../runtime/shares.ts'
import type { PipelineOutput } from '../options.ts'
import { KnownPictures } from '../resume/known.ts'
import { persevere } from '../resume/persevere.ts'
import { type KeptMesh, MeshKeeper } from './mesh_keeper.ts'
import { seeded } from './seeded.ts'
import { joinedOutput, type ResumableTeam, type Team, type TeamOptions, type TeamStep } from './team.ts'

export interface SurvivingTeamOptions {
  start(mesh: KeptMesh): Promise<ResumableTeam>
  /** How ranks that are left divide a request. */
  smaller(
    before: ParallelConfig,
    left: readonly number[],
    request: { readonly prompt: string | string[]; readonly call: TeamOptions },
  ): Promise<ParallelConfig>
}

/** A team whose calls go on where they were when a rank or its device was lost, in another one of as many ranks or fewer. */
export async function startSurvivingTeam(mesh: KeptMesh, options: SurvivingTeamOptions): Promise<Team> {
  let request: { readonly prompt: string | string[]; readonly call: TeamOptions } = { prompt: '', call: {} }
  const keeper = new MeshKeeper(mesh, {
    start: options.start,
    smaller: (before, left) => options.smaller(before, left, request),
  })
  let team = await options.start(mesh)
  /** Whether it can be asked for anything. */
  let lost: DitError | undefined

  async function draw(prompt: string | string[], given: TeamOptions): Promise<PipelineOutput> {
    const call = seeded(given)
    request = { prompt, call }
    const pictures = (Array.isArray(prompt) ? prompt.length : 1) * (call.numImagesPerPrompt ?? 1)
    let known: KnownPictures | undefined
    const onStep = stepsOnce(call.onStep)
    const mend = async (cause: DitError, step: number) => {
      throwIfAborted(call.signal)
      if (cause.kind === 'device-lost') await replace(cause)
      call.onResume?.({ cause, step, device: team.deviceNames[0], config: keeper.config })
    }
    if (lost) await replace(lost)
    return persevere({
      attempt: async () => {
        const resumptions = known?.resumptions(crewsOf(keeper.config, pictures)) ?? [undefined]
        // Pictures are counted where the call is checked: in the team.
        known ??= Number.isInteger(pictures) && pictures > 0 ? new KnownPictures(pictures) : undefined
        const outputs: PipelineOutput[] = []
        for (const resume of resumptions) {
          const onCheckpoint =
            known &&
            ((checkpoint: Parameters<KnownPictures['note']>[0]) => {
              known?.note(checkpoint)
              keeper.forgive()
            })
          const heard = !resume || resume.pictures.first === 0 ? onStep : undefined
          outputs.push(await team.run(prompt, { ...call, onStep: heard, onCheckpoint, resume }))
        }
        return outputs.length === 1 ? outputs[0] : joinedOutput(outputs)
      },
      done: () => known?.done ?? { step: 0, all: 0 },
      mend,
    })
  }

  /** Another team in place of the one that was lost. */
  async function replace(cause: DitError): Promise<void> {
    lost = cause
    await team.end().catch(() => {})
    team = await keeper.start(cause)
    lost = undefined
  }

  let busy: Promise<unknown> = Promise.resolve()
  return {
    get size() {
      return team.size
    },
    get pids() {
      return team.pids
    },
    get deviceNames() {
      return team.deviceNames
    },
    run(prompt, call = {}) {
      const drawn = busy.then(() => draw(prompt, call))
      busy = drawn.catch(() => {})
      return drawn
    },
    spans: () => team.spans(),
    sent: () => team.sent(),
    close: () => busy.then(() => (lost ? undefined : team.close())),
  }
}

/** The pictures of each crew, where that can be known: devices that are measured anew may get other shares. */
function crewsOf(config: ParallelConfig, pictures: number): Share[] | undefined {
  const { degrees, deviceWeights } = config
  if (deviceWeights === 'auto') return undefined
  const size = sizeOf(degrees)
  const speeds = deviceWeights ?? Array<number>(size).fill(1)
  return Array.from({ length: size }, (_, rank) => {
    const ranks: Ranks = { mesh: new Mesh(degrees, rank), fabric: undefined, config, speeds }
    return dealt(ranks, pictures)
  })
}

/** Tells of each step once: those that are done again have been heard. */
function stepsOnce(onStep: TeamOptions['onStep']): TeamOptions['onStep'] {
  if (!onStep) return undefined
  let told = 0
  return (info: TeamStep) => {
    if (info.step <= told) return
    told = info.step
    return onStep(info)
  }
}
