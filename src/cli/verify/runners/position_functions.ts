import { type CropRegion, cropRegion, type RotaryTables, rotary2d, rotaryOfIds } from '../../../models/rotary.ts'
import { standardShape } from '../../../pipelines/standard_shapes.ts'
import { patchify } from '../../../runtime/ops/index.ts'
import { calculateShift } from '../../../schedulers/dynamic_shift.ts'
import { EXACT, relative } from '../compare.ts'
import type { Run } from '../run.ts'

type Call = Readonly<Record<string, unknown>>

/** Rotary tables, packed latents, and tables of sizes and shifts. */
export const POSITION_FUNCTIONS: Readonly<Record<string, (run: Run, call: Call) => Promise<void>>> = {
  async rotary_2d(run, call) {
    const [rows, columns] = call.grid as [number, number]
    await compareTables(
      run,
      call.dim as number,
      rotary2d(call.dim as number, call.crops_coords as CropRegion, rows, columns),
    )
  },

  async flux_rope(run, call) {
    const axes = call.axes as number[]
    const { data } = await (await run.io()).tensor(`input.${run.name}.ids`)
    const dim = axes.reduce((a, b) => a + b, 0)
    await compareTables(run, dim, rotaryOfIds(Float64Array.from(data), axes))
  },

  async flux_pack(run) {
    const { shape } = await (await run.io()).tensor('input.flux_pack.latents')
    const latents = await (await run.io()).floats('input.flux_pack.latents')
    const [batch, , height, width] = shape
    const range = { patch: 2, batch, first: 0, end: (height * width) / 4 }
    const packed = await run.computeTensor(async (g) => patchify(g, g.upload(latents, shape), range))
    await run.compare('output.flux_pack.packed', packed)
  },

  flux_calculate_shift: (run) => compareTable(run, ([tokens]) => [calculateShift(tokens)], 1e-12),
  sd3_calculate_shift: (run) => compareTable(run, ([tokens]) => [calculateShift(tokens, { maxShift: 1.16 })], 1e-12),
  hunyuan_map_to_standard_shapes_w_h: (run) =>
    compareTable(run, ([width, height]) => [...standardShape(width, height)]),
  hunyuan_crop_region: (run) =>
    compareTable(run, ([rows, columns, base]) => cropRegion(rows, columns, base).flatMap((corner) => [...corner])),
}

async function compareTables(run: Run, dim: number, { cos, sin }: RotaryTables): Promise<void> {
  const shape = [cos.length / dim, dim]
  await run.compare(`output.${run.name}.cos`, { shape, data: cos })
  await run.compare(`output.${run.name}.sin`, { shape, data: sin })
}

/** Rows of tables.json: what is given, and what is expected in its last place. */
async function compareTable(run: Run, compute: (given: number[]) => number[], limit?: number): Promise<void> {
  const rows = (await run.table()) as [...given: (number | number[])[], expected: number | number[]][]
  const flat = (value: unknown): number[] => [value].flat(3) as number[]
  const data = rows.flatMap((row) => compute(flat(row.slice(0, -1))))
  const expected = rows.flatMap((row) => flat(row.at(-1)))
  const shape = [rows.length, expected.length / rows.length]
  const tolerance = limit === undefined ? EXACT : relative(limit)
  run.check(`${rows.length} rows`, { shape, data }, { shape, data: expected }, tolerance)
}
