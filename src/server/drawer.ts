import type { PipelineOutput } from '../pipelines/options.ts'
import type { TeamOptions } from '../pipelines/team/team.ts'

/** What draws for the server: one device, or a mesh of ranks. It is asked for one batch at a time. */
export interface Drawer {
  /** @throws DitError as pipelines do; 'device-lost' where nothing more can be drawn until it is opened anew */
  draw(prompts: string[], call: TeamOptions): Promise<PipelineOutput>
  close(): Promise<void>
}

/** Loads the model on a device or a mesh of its own: at the start, and again where that was lost. */
export type OpenDrawer = () => Promise<Drawer>
