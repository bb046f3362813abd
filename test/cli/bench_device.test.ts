import { describe, expect, it } from 'vitest'
import { runInProcess } from './run_in_process.ts'

describe('webdit bench kernels, and block', () => {
  it('times each kernel, and holds it against float64', async () => {
    const { code, out } = await runInProcess(['bench', 'kernels', '--sizes', 'small', '--turns', '1', '--json'])
    expect(code).toBe(0)
    const { limits, rows, tier } = JSON.parse(out.join('\n'))
    expect(tier).toBe('f32')
    expect(rows.map(({ name }: { name: string }) => name)).toEqual([
      ...['linear', 'linear', 'attention', 'conv2d 3 x 3', 'layer norm, modulated'],
    ])
    expect(rows[0]).toMatchObject({ shape: '128 x 320 → 1280', flop: 2 * 128 * 320 * 1280 })
    expect(rows[2]).toMatchObject({ shape: '5 x 128 x 64', flop: 4 * 5 * 128 * 128 * 64, bytes: 4 * 4 * 128 * 320 })
    for (const { error, seconds } of rows) {
      expect(error).toBeLessThan(1e-6)
      expect(seconds).toBeGreaterThan(0)
    }
    expect(limits.flops).toBeGreaterThan(0)
    expect(limits.bytes).toBeGreaterThan(0)
  })

  it('prints a table, with shares of what the device does at most', async () => {
    const { code, out } = await runInProcess(['bench', 'block', '--sizes', 'small', '--turns', '1'])
    expect(code).toBe(0)
    expect(out[0]).toMatch(/, tier f32: \S+ GFLOP\/s in registers alone, \S+ GB\/s copied$/)
    expect(out[1].split(/ {2,}/)).toEqual([
      '',
      ...['shape', 'median', 'GFLOP', 'speed', 'of peak', 'MB', 'of copy', 'error'],
    ])
    expect(out[2]).toMatch(/^DiT block {2}128 x 320, 5 heads {2,}\S+ ms {2,}0\.337 .* % {2,}\S+ {2,}\S+ %$/)
  })

  it('refuses what it cannot do, and `bench model` is `bench`', async () => {
    const refused = async (...words: string[]) => (await runInProcess(['bench', ...words])).err.join('\n')
    expect(await refused('kernels', '--sizes', 'big')).toContain('--sizes is "big", expected full or small')
    expect(await refused('block', '--turns', '0')).toContain('--turns is 0, expected a number from 1 on')
    expect(await refused('model')).toContain(await refused())
  })
})
