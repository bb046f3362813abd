import { readJson } from '../../../models/component.ts'
import { sinCosPositions2d, timestepEmbedding } from '../../../models/embeddings.ts'
import { toUnit } from '../../../pipelines/image/image.ts'
import { resizeAndCrop } from '../../../pipelines/image/resize.ts'
import { resolutionBin } from '../../../pipelines/resolution_bins.ts'
import { isRecord } from '../case.ts'
import { EXACT } from '../compare.ts'
import { GoldenIo } from '../golden_io.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'
import { channelsLast } from './channels_last.ts'
import { POSITION_FUNCTIONS } from './position_functions.ts'

type Call = Readonly<Record<string, unknown>>

/** The functions that webdit has, by the part of their name before the number. */
const FUNCTIONS: Readonly<Record<string, (run: Run, call: Call) => Promise<void>>> = {
  ...POSITION_FUNCTIONS,

  async timestep_embedding(run, call) {
    const timesteps = call.timesteps as number[]
    const dim = call.dim as number
    const data = timestepEmbedding(timesteps, dim, {
      flipSinToCos: call.flip as boolean,
      downscaleFreqShift: call.shift as number,
    })
    await run.compare(`output.${run.name}`, { shape: [timesteps.length, dim], data })
  },

  async sincos_2d(run, call) {
    const [rows, columns] = typeof call.grid === 'number' ? [call.grid, call.grid] : (call.grid as number[])
    const dim = call.dim as number
    const data = sinCosPositions2d(dim, {
      rows,
      columns,
      baseSize: call.base_size as number,
      interpolationScale: call.interpolation_scale as number,
    })
    await run.compare(`output.${run.name}`, { shape: [rows * columns, dim], data })
  },

  async pixart_resize(run, call) {
    const io = await run.io()
    const { shape } = await io.tensor('input.pixart_resize.image')
    const picture = await io.floats('input.pixart_resize.image')
    const [height, width] = [call.new_height as number, call.new_width as number]
    const data = resizeAndCrop(picture, [shape[1], shape[2], shape[3]], height, width)
    await run.compare('output.pixart_resize.image', { shape: [1, shape[1], height, width], data }, { range: 2 })
  },

  async postprocess(run) {
    const io = await run.io()
    const { shape } = await io.tensor('input.postprocess.image')
    const picture = channelsLast(shape, (await io.floats('input.postprocess.image')).map(toUnit))
    await run.compare('output.postprocess.image', picture, { range: 1 })
  },

  async pixart_bin_h_w(run) {
    const table = (await run.table()) as Record<string, [given: number[], bin: number[]][]>
    for (const [pixels, rows] of Object.entries(table)) {
      const bins = rows.flatMap(([[height, width]]) => [...resolutionBin(Number(pixels) / 8, height, width)])
      const expected = rows.flatMap(([, bin]) => bin)
      const shape = [rows.length, 2]
      run.check(`bins of ${pixels}`, { shape, data: bins }, { shape, data: expected }, EXACT)
    }
  },
}

/** Small functions, each a run of its own: meta.json lists them as the calls of one. */
export const functionsRunner: Runner = {
  async runs(c, source) {
    const { call = {}, tables, io } = c.meta.runs.main
    const outputs = (await GoldenIo.open(source, String(io))).names.filter((name) => name.startsWith('output.'))
    const calls = new Set(Object.keys(call))
    const named = (output: string) => [...calls].some((name) => `${output}.`.startsWith(`output.${name}.`))
    for (const output of outputs) if (!named(output)) calls.add(output.split('.')[1])
    const tabled = typeof tables === 'string' ? Object.keys(await readJson(source, tables)) : []
    return [...calls, ...tabled]
  },

  async run(run) {
    const kind = run.name.replace(/\.\d+$/, '')
    if (!Object.hasOwn(FUNCTIONS, kind)) throw notBuilt(kind)
    const call = run.meta.call?.[run.name]
    await FUNCTIONS[kind](run, isRecord(call) ? call : {})
  },
}
