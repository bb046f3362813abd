import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { planMemory } from '../../../src/pipelines/memory_plan/plan.ts'
import { openFolder } from '../../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../../src/runtime/weights/source.ts'

const EMOJI = fileURLToPath(new URL('../../../models/emoji-pixart', import.meta.url))
const call = { height: 32, width: 32, numInferenceSteps: 1 }

const opened: Source[] = []
afterEach(() => Promise.all(opened.splice(0).map((source) => source.close())))

/** The model's folder, with account kept of what is read; `hide` takes files out of it. */
async function watched(
  hide: (path: string) => boolean = () => false,
): Promise<{ source: Source; read: Map<string, number> }> {
  const folder = await openFolder(EMOJI)
  opened.push(folder)
  const read = new Map<string, number>()
  const note = (path: string, bytes: number) => read.set(path, (read.get(path) ?? 0) + bytes)
  const source: Source = {
    ...folder,
    exists: async (path) => !hide(path) && folder.exists(path),
    list: async (dir) => (await folder.list!(dir)).filter((file) => !hide(`${dir}/${file}`)),
    async readInto(path, offset, target) {
      note(path, target.byteLength)
      await folder.readInto(path, offset, target)
    },
    async readText(path, most) {
      const text = await folder.readText(path, most)
      note(path, text.length)
      return text
    },
  }
  return { source, read }
}

const isWeights = (path: string) => path.endsWith('.safetensors')

describe('what a plan reads', () => {
  it('is JSON, and of weights the headers', async () => {
    const { source, read } = await watched()
    const { weights } = await planMemory(source, 'red apple', { tier: 'f32', call })
    const files = [...read.keys()]
    expect(files.filter(isWeights)).toHaveLength(3)
    expect(files.filter((path) => !isWeights(path) && !path.endsWith('.json'))).toEqual([])
    const loaded = Object.values(weights).reduce((a, b) => a + b)
    for (const path of files.filter(isWeights)) expect(read.get(path)).toBeLessThan(loaded / 1000)
  })

  it('may lack the weights and the tokenizer: their sizes follow from the config files', async () => {
    const whole = await planMemory(EMOJI, undefined, { call })
    const { source } = await watched(isWeights)
    const { withoutWeights, ...plan } = await planMemory(source, undefined, { call })
    expect(withoutWeights).toHaveLength(3)
    expect((await planMemory(source, undefined, { call, variant: 'fp16' })).weights).toEqual(whole.weights)
    expect({ ...plan, device: 0, host: 0 }).toEqual({ ...whole, withoutWeights: undefined, device: 0, host: 0 })

    const { source: bare } = await watched((path) => path.startsWith('tokenizer/'))
    expect((await planMemory(bare, undefined, { call: { ...call, maxSequenceLength: 32 } })).phases).toEqual(
      whole.phases,
    )
    await expect(planMemory(bare, 'red apple', { call })).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('is checked as loading checks it', async () => {
    const { source } = await watched()
    const spoilt = (path: string, text: string): Source => ({
      ...source,
      readText: async (asked, most) => (asked === path ? text : source.readText(asked, most)),
    })
    const config = JSON.parse(await source.readText('transformer/config.json'))
    const wrong = spoilt('transformer/config.json', JSON.stringify({ ...config, num_layers: config.num_layers + 1 }))
    await expect(planMemory(wrong, undefined, { call })).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('missing'),
    })
    await expect(planMemory(spoilt('model_index.json', '{}'), undefined, { call })).rejects.toMatchObject({
      kind: 'unsupported',
    })
    await expect(planMemory(source, undefined, { call: { ...call, height: 100 } })).rejects.toThrow(/height is 100/)
    await expect(planMemory(source, undefined, { variant: 'fp16', call })).rejects.toMatchObject({ kind: 'not-found' })
  })
})
