import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { CaseMeta, RunMeta } from '../../src/cli/verify/case.ts'
import { Run } from '../../src/cli/verify/run.ts'
import { runnerOf } from '../../src/cli/verify/runners/index.ts'
import { type Component, loadComponent, type NetworkClass } from '../../src/models/component.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { testDevice } from '../support/device.ts'
import { GOLDEN, loadGoldenJson } from '../support/golden_io.ts'
import { type Form, RESAVED, resave, storedTensors } from '../support/resave.ts'

/** Golden cases, the file that their weights are in, the runs that are computed. */
const CASES: [golden: string, stem: string, runs: string[]][] = [
  ['transformer_flux_small', 'diffusion_pytorch_model', ['main']],
  ['transformer_sd3_small', 'diffusion_pytorch_model', ['main']],
  ['transformer_hunyuan_small', 'diffusion_pytorch_model', ['main']],
  ['transformer_pixart_sigma', 'diffusion_pytorch_model', ['main']],
  ['text_clip_small', 'model', ['main']],
  ['text_bert_small', 'model', ['main']],
  ['text_t5_gated', 'model', ['main']],
  ['vae_kl_4ch', 'diffusion_pytorch_model', ['main', 'encode']],
]

const ORIGINALS = fileURLToPath(new URL('../fixtures/original_names/', import.meta.url))

const BF16: Form = { dtype: 'BF16' }
const FP16: Form = { dtype: 'F16', variant: 'fp16' }

/** What a folder holds, the variant that is asked for, the reference that results equal. */
const FORMS: [how: string, forms: Form[], variant: string | undefined, expected: string][] = [
  ['in three shards', [{ shards: 3 }], undefined, 'stored'],
  ['in bfloat16, beside a variant', [BF16, FP16], undefined, 'bf16'],
  ['as the variant fp16, beside bfloat16', [BF16, FP16], 'fp16', 'fp16'],
  ['as the variant fp16 in two shards, beside bfloat16', [BF16, { ...FP16, shards: 2 }], 'fp16', 'fp16'],
]

const temporary = mkdtempSync(join(tmpdir(), 'webdit-resaved-'))
afterAll(() => rmSync(temporary, { recursive: true }))

type Load = <C extends NetworkClass>(className: C, source: Source) => Promise<Component<C>>

/** A run of `webdit verify` with a network that is loaded in a way of its own. */
class ResavedRun extends Run {
  load: Load = () => Promise.reject(new Error('no way to load'))

  override async withNetwork<C extends NetworkClass, T>(
    className: C,
    use: (network: Component<C>) => Promise<T>,
  ): Promise<T> {
    const network = await this.load(className, this.source)
    try {
      return await use(network)
    } finally {
      network.weights.free()
    }
  }
}

/** Computes what the golden case computes with the weights in `folder`, and expects the reference's outputs. */
async function expectOutputs(folder: string, [golden, , runs]: (typeof CASES)[number], reference: string, load: Load) {
  cpSync(join(GOLDEN, golden, 'config.json'), join(folder, 'config.json'))
  const meta: CaseMeta = loadGoldenJson(golden)
  for (const name of runs) {
    const io = `${name}.safetensors`
    writeFileSync(join(folder, io), writeSafetensors(await referenceOf(golden, meta.runs[name], reference)))
    const source = await openFolder(folder)
    try {
      const of = { name: golden, folder, meta: { ...meta, runs: { [name]: { ...meta.runs[name], io } } } }
      const run = new ResavedRun(of, name, { source, device: testDevice })
      run.load = load
      await runnerOf(of).run(run)
      expect(run.outputs.length).toBeGreaterThan(0)
      expect(await run.uncompared()).toEqual([])
      for (const output of run.outputs) expect(output.error, output.name).toBeLessThan(1e-5)
    } finally {
      await source.close()
    }
  }
}

/** The golden run's inputs and outputs; those of the reference instead, where it has its own. */
async function referenceOf(golden: string, { io }: RunMeta, reference: string): Promise<Record<string, HostTensor>> {
  const own = `${golden}.safetensors`
  const given = existsSync(join(RESAVED, own)) ? await storedTensors(RESAVED, own) : {}
  const tensors = Object.entries(await storedTensors(join(GOLDEN, golden), io as string))
  const chosen = tensors.map(([name, tensor]) => {
    const output = /^output\.(.*)/.exec(name)?.[1]
    const names = output ? [`${reference}.${output}`, `stored.${output}`] : [name]
    return [name, names.map((other) => given[other]).find(Boolean) ?? tensor] as const
  })
  return Object.fromEntries(chosen)
}

describe.each(CASES)('%s, saved again', (...golden) => {
  const [name, stem] = golden

  it.each(FORMS)('%s, gives the right results', async (_, forms, variant, reference) => {
    const folder = mkdtempSync(join(temporary, 'form-'))
    for (const form of forms) await resave(join(GOLDEN, name), folder, stem, form)
    await expectOutputs(folder, golden, reference, async (className, source) =>
      loadComponent(await testDevice(), className, source, '', { variant }),
    )
  })
})

it.each([
  ['as diffusers names them', CASES[0], join(GOLDEN, 'transformer_flux_small', 'diffusion_pytorch_model.safetensors')],
  ['as the authors of FLUX name them', CASES[0], join(ORIGINALS, 'flux.safetensors')],
  ['as the authors of SD3 name them', CASES[1], join(ORIGINALS, 'sd3.safetensors')],
])('opens a transformer in one file of any name, whose tensors are named %s', async (_, golden, file) => {
  const folder = mkdtempSync(join(temporary, 'form-'))
  cpSync(file, join(folder, 'dev.safetensors'))
  await expectOutputs(folder, golden, 'stored', async (className, source) => {
    const dev = { source, path: 'dev.safetensors' }
    return loadComponent(await testDevice(), className, source, '', { file: dev })
  })
})

describe('These tests save weights', () => {
  it.each([
    ['diffusers', 'transformer_sd3_small', 'diffusion_pytorch_model'],
    ['transformers', 'text_t5_gated', 'model'],
  ])('in files of the names that %s gives', async (library, golden, stem) => {
    const expected = JSON.parse(readFileSync(join(RESAVED, 'files.json'), 'utf8'))[library]
    const forms: Form[] = [{}, { variant: 'fp16' }, { shards: 3 }, { variant: 'fp16', shards: 3 }]
    const names = forms.map((form) => resave(join(GOLDEN, golden), mkdtempSync(join(temporary, 'form-')), stem, form))
    expect(await Promise.all(names)).toEqual(expected)
  })

  it.each([
    ['F16', 'transformer_sd3_small'],
    ['BF16', 'transformer_flux_small'],
  ] as const)('with the same bits where they are %s already', async (dtype, golden) => {
    const folder = mkdtempSync(join(temporary, 'form-'))
    const [file] = await resave(join(GOLDEN, golden), folder, 'diffusion_pytorch_model', { dtype })
    const bits = async (of: string) =>
      Object.entries(await storedTensors(of, file)).map(([name, { dtype, data }]) => [
        name,
        dtype,
        Buffer.from(data.buffer).toString('hex'),
      ])
    expect(await bits(folder)).toEqual(await bits(join(GOLDEN, golden)))
  })
})
