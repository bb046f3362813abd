import type { PipelineOutput } from '../../pipelines/options.ts'
import { drawAlone } from '../generate/drawing.ts'
import { decibelText, withoutCache } from '../generate/full_run.ts'
import { draw, type Session } from '../generate/session.ts'
import { psnrOf } from '../verify/compare.ts'

/** Whether the picture of a mesh is to be compared with one device's: where it differs by design, unless told otherwise. */
export function compares({ mesh, settings }: Session, asked: string | undefined): boolean {
  if (!mesh.config || settings.outputType === 'latent' || asked === 'no') return false
  const { numPipelinePatch, distrifusion } = mesh.config
  return asked === 'yes' || numPipelinePatch > 1 || distrifusion
}

/** Draws the same on one device, and tells how far the pictures of the mesh are from that. */
export async function comparedLine(session: Session, output: PipelineOutput): Promise<string> {
  const { io, loading } = session
  io.status('drawing the same on one device')
  const opened = await io.openDevice(loading.choice)
  try {
    const alone = await drawAlone(loading, opened.device)
    try {
      const { images } = await draw(withoutCache(session, output), alone, () => {})
      const decibels = images.map((image, i) => psnrOf(image.data, output.images[i].data, 255))
      return `PSNR against one device: ${decibelText(decibels)}`
    } finally {
      await alone.close()
    }
  } finally {
    opened.close()
  }
}
