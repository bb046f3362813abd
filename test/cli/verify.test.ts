import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../src/cli/command.ts'
import { modelFolder } from '../../src/cli/verify/runners/stale_kv_model.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import {
  type HostTensor,
  readSafetensorsHeader,
  readTensor,
  writeSafetensors,
} from '../../src/runtime/weights/safetensors.ts'
import { GOLDEN, goldenFolder } from '../support/golden_io.ts'
import { verifyOn } from './verify_command.ts'

const temporary = mkdtempSync(join(tmpdir(), 'webdit-verify-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** A folder for this test alone. */
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(temporary, 'cases-'))
})

const copy = (name: string) => cpSync(join(GOLDEN, name), join(folder, name), { recursive: true })

/** Rewrites a file of float32 tensors. */
async function edit(file: string, change: (tensors: Record<string, HostTensor>) => void): Promise<void> {
  const source = await openFolder(folder)
  const header = await readSafetensorsHeader(source, file)
  const tensors: Record<string, HostTensor> = {}
  for (const name of header.tensors.keys()) tensors[name] = await readTensor(source, header, name)
  await source.close()
  change(tensors)
  writeFileSync(join(folder, file), writeSafetensors(tensors))
}

function editJson(file: string, change: (json: Record<string, never>) => void): void {
  const json = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  change(json)
  writeFileSync(join(folder, file), JSON.stringify(json))
}

const floats = (tensor: HostTensor) => tensor.data as Float32Array

describe('webdit verify', () => {
  it.each([
    ['attention_ring', 'q100_kv256_d72_bool', 14, 0],
    ['attention_self', 's77_d64_causal', 2, 0],
    ['functions', '', 23, 0],
    ['noise', '', 385, 0],
    ['scheduler_ddim_eta', '', 15, 0],
    ['scheduler_ddpm_epsilon', '', 13, 0],
    ['scheduler_dpm_karras', '', 11, 0],
    ['scheduler_euler_karras', '', 18, 0],
    ['scheduler_flow_flux_dynamic', '', 12, 0],
    ['stale_kv_flux_m2', '', 10, 0],
    ['text_bert_small', '', 2, 0],
    ['text_clip_small', '', 4, 0],
    ['text_clip_small_projection', '', 4, 0],
    ['text_t5_gated', '', 2, 0],
    ['tokenizer_bert', '', 48, 0],
    ['tokenizer_clip', '', 48, 0],
    ['tokenizer_t5', '', 48, 0],
    ['transformer_flux_small', '', 1, 0],
    ['transformer_pixart_alpha', '', 1, 0],
    ['transformer_sd3_small', '', 2, 0],
    ['vae_kl_16ch', '', 3, 0],
    ['vae_kl_flux', '', 6, 0],
  ])('finds what the case holds within tolerance: %s %s', async (name, filter, outputs, unsupported) => {
    const { code, lines } = await verifyOn(join(GOLDEN, name), '--filter', filter)
    const summary = `${outputs} outputs within tolerance, 0 over, ${unsupported} runs unsupported`
    expect({ code, summary: lines.at(-1) }).toEqual({ code: 0, summary })
  })

  const MANIFESTS = ['flux1-dev', 'flux1-schnell', 'sd3-medium', 'sd35-medium', 'sd35-large']
  const ENCODERS = ['clip-g-projection', 'clip-l-projection', 'hunyuandit-bert']
  it.skipIf(!goldenFolder('manifests')).each([...MANIFESTS, ...ENCODERS])(
    'asks for the weights that published checkpoints hold, by name and shape: %s',
    async (name) => {
      const { lines } = await verifyOn(goldenFolder('manifests')!, '--filter', name)
      expect(lines.at(-1)).toBe('4 outputs within tolerance, 0 over, 0 runs unsupported')
    },
  )

  it('runs a pipeline from its prompts to its pictures', { timeout: 60_000 }, async () => {
    const { code, lines } = await verifyOn(join(GOLDEN, 'pipeline_pixart_sigma'), '--json')
    const { runs, summary } = JSON.parse(lines.join('\n'))
    expect(code).toBe(0)
    expect(summary).toEqual({ within: 15, over: 0, unsupported: 0, failed: 0, ok: true })
    const measured = new Map<string, { error: number; psnr?: number }>(
      runs[0].outputs.map((output: { name: string; error: number }) => [output.name, output]),
    )
    for (const name of ['prompt_embeds', 'transformer_output_step0', 'step_latents[4]', 'latents', 'image']) {
      expect([name, measured.get(name)?.error]).toEqual([name, expect.any(Number)])
      expect(measured.get(name)?.error).toBeLessThan(1e-5)
    }
    expect(measured.get('image')?.psnr).toBeGreaterThan(100)
  })

  it('tells which output is over, and goes on', async () => {
    copy('functions')
    await edit('functions/io.safetensors', (tensors) => {
      floats(tensors['output.sincos_2d.0'])[7] += 0.1
      floats(tensors['input.postprocess.image'])[3] = Number.NaN
    })
    const { code, lines } = await verifyOn(folder)
    expect(code).toBe(1)
    const over = lines.filter((line) => line.startsWith('OVER'))
    expect(over.length).toBe(2)
    // 0.1 of a table of 256 x 64 sines and cosines, whose squares sum to half their number: 0.1 / √8192.
    expect(over[0]).toMatch(/functions\/sincos_2d\.0 +sincos_2d\.0 +1\.1e-3 +1e-4$/)
    expect(over[1]).toMatch(/functions\/postprocess .*NaN.* 1 of 288 values are not finite numbers$/)
    expect(lines.at(-1)).toBe('21 outputs within tolerance, 2 over, 0 runs unsupported')
  })

  it('a result of another shape is over', async () => {
    copy('tokenizer_t5')
    editJson('tokenizer_t5/tokens.json', ({ cases }: Record<string, { input_ids: number[] }[]>) => {
      cases[1].input_ids.push(1)
    })
    const { code, lines } = await verifyOn(folder)
    expect(code).toBe(1)
    expect(lines.find((line) => line.startsWith('OVER'))).toMatch(/input_ids\[1\] .*shape \[6\], expected \[7\]$/)
    expect(lines.at(-1)).toBe('47 outputs within tolerance, 1 over, 0 runs unsupported')
  })

  it('a damaged file fails its run, and the other cases go on', async () => {
    for (const name of ['functions', 'noise', 'tokenizer_t5', 'attention_self']) copy(name)
    truncateSync(join(folder, 'noise/io.safetensors'), 5000)
    truncateSync(join(folder, 'functions/io.safetensors'), 4)
    writeFileSync(join(folder, 'attention_self/meta.json'), '{"runs": ')
    const { code, lines } = await verifyOn(folder)
    expect(code).toBe(1)
    const failed = lines.filter((line) => line.startsWith('FAIL'))
    expect(failed.length).toBe(3)
    expect(failed[0]).toMatch(/attention_self +failed: .*meta\.json/)
    expect(failed[1]).toMatch(/functions +failed: .*io\.safetensors is not a valid safetensors file/)
    expect(failed[2]).toMatch(/noise\/main +failed: .*io\.safetensors is not a valid safetensors file/)
    expect(lines.at(-1)).toBe('270 outputs within tolerance, 0 over, 0 runs unsupported, 3 failed')
  })

  it('an output that nothing was compared with fails the run', async () => {
    copy('scheduler_dpm_karras')
    await edit('scheduler_dpm_karras/io.safetensors', (tensors) => {
      tensors['output.more'] = tensors['output.sigmas']
    })
    const { code, lines } = await verifyOn(folder)
    expect(code).toBe(1)
    expect(lines.at(-2)).toMatch(/^FAIL .*nothing was compared with output\.more$/)
  })

  it('a tolerance that meta.json does not state fails the run', async () => {
    copy('functions')
    editJson('functions/meta.json', (meta: Record<string, unknown>) => {
      meta.tolerance = 'close enough'
    })
    const { code, lines } = await verifyOn(folder, '--filter', 'sincos_2d.0')
    expect(code).toBe(1)
    expect(lines[1]).toContain('has the tolerance "close enough"')
  })

  it('opens a device only for what computes on one', async () => {
    copy('functions')
    expect(await verifyOn(folder, '--filter', 'sincos_2d')).toMatchObject({ code: 0, deviceOpened: false })
    expect(await verifyOn(folder, '--filter', 'flux_pack')).toMatchObject({ code: 0, deviceOpened: true })
  })

  it('counts the runs of classes and methods that it lacks', async () => {
    const meta = (extra: object) => JSON.stringify({ tolerance: { suggested: 1e-4 }, ...extra })
    const runs = { main: { io: 'io.safetensors' }, more: { io: 'io_more.safetensors' } }
    for (const name of ['a', 'b']) mkdirSync(join(folder, name))
    writeFileSync(join(folder, 'a/meta.json'), meta({ builder: 'dit', class: 'SomeTransformer', runs }))
    writeFileSync(
      join(folder, 'b/meta.json'),
      meta({ builder: 'make_stale_kv', class: 'PixArtSigmaPipeline', method: 'patchfusion', runs: { main: {} } }),
    )
    const { code, lines } = await verifyOn(folder)
    expect(code).toBe(0)
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^- +a\/main +unsupported: SomeTransformer is not built yet$/),
      expect.stringMatching(/^- +a\/more +unsupported: SomeTransformer is not built yet$/),
      expect.stringMatching(/^- +b\/main +unsupported: patchfusion of PixArtSigmaPipeline is not built yet$/),
      '0 outputs within tolerance, 0 over, 3 runs unsupported',
    ])
  })

  it('a case of stale keys needs its arguments, its model and stages that begin with the first block', async () => {
    type Meta = Record<string, Record<string, object>>
    const damage: [as: string, run: string, change: (meta: Meta) => void][] = [
      ['arguments', 'main', (meta) => Object.assign(meta.arguments, { patches: '2' })],
      ['model', 'main', (meta) => Object.assign(meta, { model: 'no_model' })],
      ['stages', 'stage_border', (meta) => Object.assign(meta.runs.stage_border, { first_block_of_each_stage: [1] })],
    ]
    cpSync(join(GOLDEN, 'pipeline_flux_dev'), join(folder, 'pipeline_flux_dev'), { recursive: true })
    for (const [name, , change] of damage) {
      cpSync(join(GOLDEN, 'stale_kv_flux_m2'), join(folder, name), { recursive: true })
      editJson(`${name}/meta.json`, change)
    }
    const reasons: string[] = []
    for (const [name, run] of damage) {
      const { code, lines } = await verifyOn(join(folder, name), '--filter', `${name}/${run}`)
      expect(code).toBe(1)
      reasons.push(lines[1])
    }
    expect(reasons).toEqual([
      expect.stringMatching(/arguments\/main +failed: .*has patches = "2", expected a number$/),
      expect.stringMatching(/model\/main +failed: there is no folder .*no_model$/),
      expect.stringMatching(/stages\/stage_border +failed: .*first_block_of_each_stage is \[1\], expected/),
    ])
  })

  it('cases that were copied away from their model find the embedded one', () => {
    const found = modelFolder({
      name: 'a',
      folder: join(folder, 'a'),
      meta: { model: '../models/emoji-pixart', runs: {} },
    })
    expect(realpathSync(found)).toBe(realpathSync('models/emoji-pixart'))
  })

  it("a trained model's case needs its call and its checkpoint", async () => {
    mkdirSync(join(folder, 'golden'))
    const tensors = { initial_latents: { dtype: 'F32', shape: [1], data: new Float32Array(1) } } as const
    for (const name of ['half', 'whole']) {
      writeFileSync(join(folder, `golden/${name}.safetensors`), writeSafetensors({ ...tensors } as never))
    }
    const call = { prompt: 'a', negative_prompt: '', seed: 0, steps: 1, guidance_scale: 4, height: 8, width: 8 }
    writeFileSync(join(folder, 'golden/half.json'), JSON.stringify(call))
    writeFileSync(join(folder, 'golden/whole.json'), JSON.stringify({ ...call, max_sequence_length: 4 }))
    const { code, lines } = await verifyOn(join(folder, 'golden'), '--model', join(folder, 'elsewhere'))
    expect(code).toBe(1)
    expect(lines[1]).toMatch(/half\/main +failed: .*max_sequence_length = undefined/)
    expect(lines[2]).toMatch(/whole\/main +failed: there is no folder .*elsewhere/)
  })

  it('folders without cases, filters that fit nothing and no folder at all are errors', async () => {
    await expect(verifyOn(folder)).rejects.toMatchObject({ kind: 'not-found', message: `${folder} holds no case` })
    await expect(verifyOn(join(folder, 'none'))).rejects.toMatchObject({ kind: 'not-found' })
    copy('functions')
    await expect(verifyOn(folder, '--filter', 'no such run')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(verifyOn()).rejects.toBeInstanceOf(UsageError)
  })
})
