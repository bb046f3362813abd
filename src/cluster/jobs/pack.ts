import { DitImage } from '../../pipelines/image/image.ts'
import type { RgbBytes } from '../../pipelines/image/lanczos.ts'
import type { PipelineOutput } from '../../pipelines/options.ts'
import type { TeamOptions } from '../../pipelines/team/team.ts'
import { decodeRgb } from '../decode_rgb.ts'
import type { Rooms } from '../rooms.ts'
import type { Drawn, Job } from './job.ts'
import { bytesOf, dropObjects, floatsOf, getObject, putObject } from './objects.ts'

type Call = Omit<TeamOptions, 'onStep' | 'signal'>

/** A job's words, and in the object store what else it needs. */
export async function packJob(
  rooms: Rooms,
  { id, version, prompts, previews }: Pick<Job, 'id' | 'version' | 'prompts' | 'previews'>,
  { latents, image, ...call }: Call,
  signal?: AbortSignal,
): Promise<Job> {
  const given = image === undefined ? undefined : ([image].flat() as RgbBytes[])
  return {
    id,
    version,
    prompts,
    previews,
    call,
    ...(latents && { latents: await putObject(rooms, `${id}.latents`, bytesOf(latents), signal) }),
    ...(given && {
      images: await Promise.all(
        given.map(async ({ width, height, data }, i) => {
          return { width, height, object: await putObject(rooms, `${id}.image.${i}`, bytesOf(data), signal) }
        }),
      ),
    }),
  }
}

/** The call that was packed. */
export async function unpackCall(rooms: Rooms, { call, latents, images }: Job): Promise<Call> {
  const image =
    images && (await Promise.all(images.map(async (one) => ({ ...one, data: await getObject(rooms, one.object) }))))
  return {
    ...call,
    ...(latents !== undefined && { latents: floatsOf(await getObject(rooms, latents)) }),
    ...(image && { image: image.length === 1 ? image[0] : image }),
  }
}

export const inputsOf = ({ latents, images = [] }: Job): string[] => [
  ...(latents === undefined ? [] : [latents]),
  ...images.map(({ object }) => object),
]

/** Puts what was drawn into the object store, under the names of this attempt. */
export async function packOutput(
  rooms: Rooms,
  job: Job,
  attempt: string,
  output: PipelineOutput,
  about: Pick<Drawn, 'seconds' | 'deliveries'>,
): Promise<Drawn> {
  const { images, latents, warnings, seed, spared } = output
  const put = (name: string, bytes: Uint8Array) => putObject(rooms, `${job.id}.${attempt}.${name}`, bytes)
  const latent = job.call.outputType === 'latent'
  return {
    images: await Promise.all(images.map(async (image, i) => put(`${i}.png`, await image.toPng()))),
    latents: { shape: latents.shape, ...(latent && { object: await put('latents', bytesOf(latents.data)) }) },
    warnings,
    seed,
    ...(spared && { spared }),
    ...about,
  }
}

/** What was drawn; it leaves the object store. */
export async function unpackOutput(rooms: Rooms, drawn: Drawn, signal?: AbortSignal): Promise<PipelineOutput> {
  const { latents, warnings, seed, spared } = drawn
  const images = await Promise.all(
    drawn.images.map(async (name) => {
      const { width, height, data } = decodeRgb(await getObject(rooms, name, signal))
      return new DitImage(width, height, data)
    }),
  )
  const data =
    latents.object === undefined ? new Float32Array() : floatsOf(await getObject(rooms, latents.object, signal))
  void dropObjects(rooms, objectsOf(drawn))
  return {
    images,
    latents: { data, shape: [...latents.shape] },
    warnings: [...warnings],
    seed,
    ...(spared && { spared }),
  }
}

export const objectsOf = ({ images, latents }: Drawn): string[] => [
  ...images,
  ...(latents.object === undefined ? [] : [latents.object]),
]
