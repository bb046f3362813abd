import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BENCH_OPTIONS } from '../../../src/cli/bench/options.ts'
import { FLAG_OF } from '../../../src/parallel/config/check.ts'
import { REFUSED_FLAGS } from '../../../src/parallel/config/xdit_flags.ts'
import { EngineArgs } from '../../../src/pipelines/engine_args.ts'
import { parseArgs } from '../../../src/runtime/command_line/parse_args.ts'
import { XDIT_FLAG_NAMES } from './xdit_flag_names.ts'

const docs = readFileSync(new URL('../../../docs/xdit.md', import.meta.url), 'utf8')
const refused = new Map(REFUSED_FLAGS.map(({ name, instead }) => [name, instead]))
const honoured = BENCH_OPTIONS.filter(({ instead }) => instead === undefined).map(({ name }) => name)

/** A value of the flag's kind that is not the default. */
const VALUES: Record<string, string[]> = {
  output_type: ['latent'],
  prompt: ['a', 'b'],
  attn_layer_num_for_pp: ['3', '5'],
}

describe("xDiT's flags", () => {
  it('are all known, and none is both taken and refused', () => {
    for (const name of XDIT_FLAG_NAMES) {
      expect([name, honoured.includes(name) !== refused.has(name)]).toEqual([name, true])
    }
  })

  it.each([...refused])('%s is refused by name, with what to do instead', (name, instead) => {
    for (const written of [`--${name}`, `--${name.replaceAll('_', '-')}`, `--${name}=1`]) {
      expect(() => parseArgs([written], BENCH_OPTIONS, false)).toThrow(`--${name}`)
      expect(() => EngineArgs.fromFlags(['--model', 'm', written])).toThrow(
        expect.objectContaining({ kind: 'bad-argument', hint: instead }),
      )
    }
    expect(docs).toContain(`| \`--${name}\` | ${instead} |`)
  })

  it.each(XDIT_FLAG_NAMES.filter((name) => !refused.has(name)))('%s is taken, with either kind of dash', (name) => {
    const { type } = BENCH_OPTIONS.find((option) => option.name === name)!
    const values = VALUES[name] ?? (type === 'flag' ? [] : ['2'])
    for (const written of [`--${name}`, `--${name.replaceAll('_', '-')}`]) {
      const args = parseArgs([written, ...values], BENCH_OPTIONS, false)
      expect(args.has(name)).toBe(true)
      if (type !== 'flag') expect(args.texts(name)).toEqual(values)
    }
    expect(docs).toContain(`| \`--${name}\` |`)
  })
})

describe('EngineArgs', () => {
  const config = (...flags: string[]) =>
    EngineArgs.fromFlags(['--model', 'm', '--prompt', 'a', ...flags]).createConfig()

  it.each(Object.entries(FLAG_OF))('divides along %s by --%s', (axis, flag) => {
    const flags = axis === 'cfg' ? [`--${flag}`] : [`--${flag}`, '2']
    expect(config(...flags).engineConfig.parallel.degrees).toMatchObject({ [axis]: 2 })
  })

  it('reads the rest of a configuration', () => {
    const flags =
      '--pipefusion_parallel_degree 2 --ring_degree 2 --num-pipeline-patch 4 --warmup_steps 2 --use_parallel_vae'
    const more = '--attn_layer_num_for_pp 3 5 --device_weights 1,2,1,2 --seed 7 --devices 4'
    const { engineConfig, inputConfig } = config(...flags.split(' '), ...more.split(' '))
    expect(engineConfig.parallel).toMatchObject({
      numPipelinePatch: 4,
      warmupSteps: 2,
      attnLayerNumForPp: [3, 5],
      vaeParallelSize: 4,
      deviceWeights: [1, 2, 1, 2],
    })
    expect(inputConfig).toMatchObject({ prompt: ['a'], call: { seed: 7 } })
    expect(config('--pipefusion_parallel_degree', '3').engineConfig.parallel.numPipelinePatch).toBe(3)
  })

  it.each([
    [['--devices', '4', '--ulysses_degree', '2'], /ulysses_degree 2 make 2 ranks, and devices is 4/],
    [['--ring_degree', '0'], /ring_degree is 0/],
    [['--pipefusion_parallel_degree', '2', '--attn_layer_num_for_pp', '8'], /has 1 numbers for 2 stages/],
    [['--use_distrifusion', '--pipefusion_parallel_degree', '2'], /exclude each other/],
    [['--ulysses_degree', '2', '--device_weights', '1,2,3'], /has 3 numbers for 2 ranks/],
    [['--ulysses_degree', '2', '--device_weights', '1,-2'], /holds -2/],
    [['--ulysses_degree', '2', '--vae_parallel_size', '3'], /vae_parallel_size is 3, and 2 ranks/],
    [['--num_pipeline_patch', '0'], /num_pipeline_patch is 0/],
    [['--warmup_steps', '-1'], /warmup_steps is -1/],
    [['--shard_dit'], /shard_dit: with all degrees 1 no two ranks/],
    [['--shard_dit', '--pipefusion_parallel_degree', '2'], /pipefusion_parallel_degree 2 no two ranks/],
    [['--shard_t5_encoder', '--data_parallel_degree', '2'], /shard_t5_encoder: .* one rank draws a picture/],
    [['--devices', 'many'], /--devices is "many"/],
  ])('refuses %j', (flags, message) => {
    expect(() => config(...flags)).toThrow(message)
  })
})
