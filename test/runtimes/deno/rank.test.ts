import { expect, it } from 'vitest'
import { LAVAPIPE, NO_DRIVER, runDeno, WITHOUT_LAVAPIPE } from '../../support/deno.ts'

it.skipIf(WITHOUT_LAVAPIPE)(
  'a rank in a worker of Deno draws what diffusers draws, and passes on errors (needs mesa-vulkan-drivers)',
  async () => {
    const { code, stdout, stderr } = await runDeno(LAVAPIPE, new URL('rank_program.ts', import.meta.url))
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    const { distance, ...rest } = JSON.parse(stdout)
    expect(distance).toBeLessThan(1e-3)
    expect(rest).toEqual({
      device: expect.stringContaining('llvmpipe'),
      sizes: Array(2).fill([112, 80, 112 * 80 * 3]),
      steps: [1, 2, 3, 4, 5],
      refused: 'bad-argument',
      missing: 'not-found',
    })
  },
)

it('two ranks in workers of Deno draw what one device draws, by shared memory', async () => {
  const { code, stdout, stderr } = await runDeno(NO_DRIVER, new URL('team_program.ts', import.meta.url))
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  const { distance, ...rest } = JSON.parse(stdout.trim().split('\n').at(-1)!)
  expect(distance).toBeLessThan(2e-5)
  const tags = ['sp.noise', 'text', 'ulysses.out', 'ulysses.qkv', 'weights']
  expect(rest).toEqual({
    sent: [tags, tags.filter((tag) => tag !== 'text')],
    refused: 'bad-argument',
    pids: [null, null],
  })
})
