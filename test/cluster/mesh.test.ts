import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placeRanks } from '../../src/cluster/mesh/placement.ts'
import { ON_ONE_DEVICE } from '../../src/parallel/config/parallel_config.ts'
import { ONE_RANK } from '../../src/parallel/mesh/mesh.ts'
import { runInProcess } from '../cli/run_in_process.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { start } from './support/in_process.ts'
import { HAS_NATS, type NatsServer, startNats } from './support/nats_server.ts'
import { type NodeProcess, startNode } from './support/node_process.ts'

const MODEL = join(GOLDEN, 'pipeline_pixart_sigma')
const SMALL = ['--height', '32', '--width', '48', '--no_use_resolution_binning', '--num_inference_steps', '2']
const temporary = mkdtempSync(join(tmpdir(), 'webdit-mesh-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const degrees = (given: Partial<typeof ONE_RANK>) => ({ ...ON_ONE_DEVICE, degrees: { ...ONE_RANK, ...given } })

describe('ranks on machines', () => {
  const lenders = [
    { id: 'a', ranks: 2 },
    { id: 'b', ranks: 3 },
  ]

  it.each([
    [{ ulysses: 2, pipefusion: 2 }, ['b 0-2', 'a 2-4']],
    [{ pipefusion: 2 }, ['b 0-2']],
    [{ ulysses: 3 }, ['b 0-3']],
    [{ ring: 5 }, ['b 0-3', 'a 3-5']],
    [{ tensor: 2, cfg: 2 }, ['b 0-2', 'a 2-4']],
  ])('keep what talks most inside a machine: %j', (given, expected) => {
    expect(placeRanks(degrees(given), lenders).map(({ id, first, end }) => `${id} ${first}-${end}`)).toEqual(expected)
  })

  it('are not more than are lent', () => {
    expect(() => placeRanks(degrees({ ulysses: 6 }), lenders)).toThrow(
      'has 6 ranks, and the machines of the cluster lend 5',
    )
    expect(() => placeRanks(degrees({ ulysses: 2 }), [])).toThrow('lend 0')
  })
})

describe.skipIf(!HAS_NATS)('one picture over two machines with two ranks each', () => {
  let server: NatsServer
  const nodes: NodeProcess[] = []
  beforeAll(async () => {
    server = await startNats()
    for (let k = 0; k < 2; k++) nodes.push(startNode(server.url, ['--model', MODEL, '--lend_ranks', '2']))
    await Promise.all(nodes.map(({ ready }) => ready))
  })
  afterAll(async () => {
    for (const { child } of nodes) child.kill('SIGKILL')
    await server.stop()
  })

  const flags = ['--prompt', 'red apple', '--seed', '3', ...SMALL]
  const generate = (...more: string[]) => {
    const folder = mkdtempSync(join(temporary, 'run-'))
    return start('generate', '--nats', server.url, '--output_directory', folder, ...flags, ...more)
  }

  it('is that of one device, within what the method promises', async () => {
    const alone = ['generate', '--model', MODEL, '--output_directory', temporary, ...flags]
    const one = decode(readFileSync((await runInProcess(alone)).out[0])).data
    // All steps are warm-up: PipeFusion is then exact as well.
    const mesh = generate('--ulysses_degree', '2', '--pipefusion_parallel_degree', '2', '--warmup_steps', '2')
    expect([await mesh.code, mesh.notes]).toEqual([0, expect.arrayContaining([expect.stringMatching(/^step 2 of 2/)])])
    const path = (await mesh.began) as string
    const far = decode(readFileSync(path)).data
    expect(Math.max(...far.map((value, i) => Math.abs(value - one[i])))).toBeLessThanOrEqual(1)
    expect(mesh.notes.filter((line) => /: ranks [02] to [13] on /.test(line))).toHaveLength(2)
  })

  it('says which machine lacks what, and ends with an error where a rank dies', async () => {
    const many = generate('--ring_degree', '6')
    expect(await many.code).toBe(1)
    expect(many.notes.join('\n')).toMatch(
      /the mesh has 6 ranks, and the machines of the cluster lend 4\n.*There are 2 on/,
    )
    const local = generate('--ulysses_degree', '2', '--workers', 'one_device')
    expect([await local.code, local.notes[0]]).toEqual([
      2,
      expect.stringContaining('--workers is for whoever starts a node'),
    ])
    const dying = generate('--ulysses_degree', '4', '--num_inference_steps', '400')
    await expect.poll(() => dying.notes.some((line) => line.startsWith('step ')), { timeout: 60_000 }).toBe(true)
    nodes[1].child.kill('SIGKILL')
    expect(await dying.code).toBe(1)
    expect(dying.notes.join('\n')).toMatch(/webdit: (rank [0-3] |node \S+ gives no sign of life)/)
  })
})
