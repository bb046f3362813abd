// A batch in a process of its own that paints its pictures instead of drawing them: what is tested is what lies on the disk when
// it is killed. FOLDER TABLE
import { readDataset } from '../../src/cli/batch/dataset.ts'
import { withJob } from '../../src/cli/batch/job.ts'
import type { Drawing } from '../../src/cli/generate/drawing.ts'
import type { Settings } from '../../src/cli/generate/settings.ts'
import { DitImage } from '../../src/pipelines/image/image.ts'

/** ms that a picture takes, and pixels of its sides. */
const [TIME, SIDE] = [15, 96]

const [, , outputDirectory, table] = process.argv
const { rows } = await readDataset(table)
const prompts = rows.map(({ prompt }) => prompt)
const settings = {
  model: 'painted',
  prompts,
  outputDirectory,
  outputType: 'pil',
  imageFiles: [],
  call: {},
} as unknown as Settings

const drawing: Pick<Drawing, 'draw' | 'facts'> = {
  facts: {
    family: { defaults: { numInferenceSteps: 1, guidanceScale: 1 } },
    schedulerConfig: {},
  } as unknown as Drawing['facts'],
  async draw(texts, { seed }) {
    await new Promise((resolve) => setTimeout(resolve, TIME))
    const noise = () => Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * 2654435761) >>> 13)
    const latents = { data: new Float32Array(), shape: [0] }
    return { images: texts.map(() => new DitImage(SIDE, SIDE, noise())), latents, warnings: [], seed }
  },
}
const io = {
  print: (line: string) => console.log(line),
  note() {},
  status() {},
  terminal: false,
  signal: new AbortController().signal,
  openDevice: () => Promise.reject(new Error('nothing is computed here')),
}
await withJob(settings, rows, io, ({ drawAll }) => drawAll(drawing, 1))
