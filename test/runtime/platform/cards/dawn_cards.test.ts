import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cardName } from '../../../../src/runtime/platform/cards/card.ts'
import { listDawnCards } from '../../../../src/runtime/platform/cards/dawn_cards.node.ts'
import { DENO, ended } from '../../../support/deno.ts'
import { CAN_PRETEND, LAYER, machineWith } from '../../../support/test_cards.ts'
import type { CardPlan } from './card_program.ts'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

/** Real processes, real loader, real Dawn, and cards that are SwiftShader in disguise. */
describe.skipIf(!CAN_PRETEND)('the cards that Dawn opens', () => {
  // Inside the repository, where npm packages resolve.
  const folder = join(ROOT, 'node_modules/.cache', `webdit-cards-${process.pid}`)
  beforeAll(() => mkdirSync(folder, { recursive: true }))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const equal = ['41', '61', '81'].map((bus) => ({ name: 'Alpha 8GB', bus }))
  const list = async (env: Record<string, string>, options = {}) => listDawnCards({ env, bus: [], ...options })

  it('are one where there is one, and none where there is none', async () => {
    const one = await list(await machineWith([equal[0]], folder, { swiftShader: true }))
    expect(one).toMatchObject({ cards: [{ name: 'Alpha 8GB', software: false, how: 'name', alike: 1 }], problems: [] })
    const software = await list(await machineWith([], folder, { swiftShader: true }))
    expect(software.cards).toMatchObject([{ software: true, how: 'only', select: { backend: 'dawn' } }])
    expect(await list(await machineWith([], folder))).toEqual({ cards: [], problems: [] })
    expect(await list({ PATH: process.env.PATH! })).toEqual({ cards: [], problems: [] }) // no loader
  })

  it('are one of those that the CPU computes where there is no GPU, or all where they are asked for', async () => {
    const env = await machineWith([{ name: 'llvmpipe', bus: '11' }], folder, { swiftShader: true })
    const { cards } = await list(env)
    expect(cards).toMatchObject([{ software: true, how: 'name', alike: 1 }])
    const all = (await list(env, { software: true })).cards
    expect(all.map(({ name }) => name).sort()).toEqual(['SwiftShader Device (Subzero)', 'llvmpipe'])
    expect(all.every(({ software }) => software)).toBe(true)
  })

  it('are told apart by names, though one is a part of another', async () => {
    const cards = ['Beta Ti', 'Alpha', 'Beta'].map((name, i) => ({ name, bus: `${i + 1}1` }))
    const { cards: found, problems } = await list(await machineWith(cards, folder, { swiftShader: true }), {
      software: true,
    })
    expect(found.map(({ name, how, select }) => [name, how, select.adapter])).toEqual([
      ['Beta Ti', 'name', 'Beta Ti'],
      ['Alpha', 'name', 'Alpha'],
      ['SwiftShader Device (Subzero)', 'name', 'SwiftShader Device (Subzero)'],
    ])
    // Dawn looks for a part of the name, and finds Beta Ti first.
    expect(problems.map(({ what }) => what)).toEqual([expect.stringContaining('open Beta, whose name is a part')])
  })

  it('are one for all that cannot be told apart, with what mends it', async () => {
    const { cards, problems } = await list(await machineWith(equal, folder))
    expect(cards.map(cardName)).toEqual(['3 x Alpha 8GB'])
    const [{ what, mend }] = problems
    expect(what).toMatch(/3 equal cards apart \(Alpha 8GB\): Mesa's device-select layer says nothing$/)
    expect(mend).toMatch(/^apt-get install mesa-vulkan-drivers/)
  })

  it('take their addresses from NVIDIA where Vulkan tells none', async () => {
    const bus = [{ pci: '0000:41:00.0', id: '10de:ffff', name: 'Alpha 8GB' }]
    expect((await list(await machineWith([equal[0]], folder), { bus })).cards.map(cardName)).toEqual([
      'Alpha 8GB at 0000:41:00.0',
    ])
  })

  it('are none where the driver never answers, or crashes', async () => {
    const env = await machineWith(equal, folder)
    for (const [fault, why] of [
      ['CARD_SLEEPS', 'no answer in 0.5 s'],
      ['CARD_DIES', 'the driver died of SIGABRT'],
    ]) {
      const { cards, problems } = await list({ ...env, [fault]: '1' }, { timeout: 500 })
      expect(cards).toEqual([])
      expect(problems.map(({ what }) => what)).toEqual([`the list of cards: ${why}`])
    }
  })

  describe.skipIf(LAYER !== 'old')('with the layer of Mesa 22.3, which chooses another card', () => {
    it('are not told apart by address', async () => {
      const { cards, problems } = await list(await machineWith(equal, folder, { layer: true }))
      expect(cards.map(cardName)).toEqual(['3 x Alpha 8GB'])
      expect(problems[0].what).toContain('does not choose by address')
    })
  })

  describe.skipIf(LAYER !== 'new')("with Mesa's device-select layer", () => {
    let program: string
    beforeAll(async () => {
      await build({
        root: ROOT,
        configFile: false,
        logLevel: 'error',
        build: {
          ssr: true,
          target: 'node20',
          outDir: join(folder, 'program'),
          rolldownOptions: { input: fileURLToPath(new URL('card_program.ts', import.meta.url)) },
        },
      })
      program = join(folder, 'program/card_program.js')
    })

    const run = async (plan: CardPlan, env: Record<string, string>, command = [process.execPath, program]) => {
      const [file, ...args] = command
      const child = spawn(file, [...args, JSON.stringify(plan)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      const { stderr } = await ended(child)
      // SwiftShader complains about what the layer asks it.
      return stderr.split('\n').filter((line) => line && !line.includes('third_party/swiftshader'))
    }
    const opensWhatIsAsked = (cards: readonly { pci?: string }[]) =>
      cards.flatMap(({ pci }) => [`asked ${pci}`, `opened ${pci}`])

    it('are told apart by address, and each is opened by the thread or process that asks for it', async () => {
      const env = await machineWith([...equal, { name: 'Gamma', bus: 'c1' }], folder, {
        layer: true,
        swiftShader: true,
      })
      const { cards, problems } = await list(env)
      expect(problems).toEqual([])
      expect(cards.map((card) => [cardName(card), card.how])).toEqual([
        ['Alpha 8GB at 0000:41:00.0', 'device-select'],
        ['Alpha 8GB at 0000:61:00.0', 'device-select'],
        ['Alpha 8GB at 0000:81:00.0', 'device-select'],
        ['Gamma at 0000:c1:00.0', 'name'],
      ])
      const asked = [2, 0, 3, 1].map((i) => cards[i])
      const open = asked.map((card) => ({ card }))
      expect(await run({ where: 'here', open }, env)).toEqual(opensWhatIsAsked(asked))
      expect(await run({ where: 'shared', open }, env)).toEqual(opensWhatIsAsked(asked))
      // A thread whose environment is a copy can be pinned by name alone, or by what its process was started with.
      const copies = await run({ where: 'copy', open: open.slice(1, 3) }, env)
      expect(copies).toEqual([
        expect.stringMatching(/^unsupported: this thread cannot/),
        ...opensWhatIsAsked([cards[3]]),
      ])
      const pinned = { ...env, ...cards[1].select.env }
      expect(await run({ where: 'copy', open: [{ card: cards[1] }] }, pinned)).toEqual(opensWhatIsAsked([cards[1]]))
    })

    it('are opened by address alone, and the error for another one lists those that there are', async () => {
      const env = await machineWith(equal, folder, { layer: true })
      const open = [{ adapter: '61:00.0' }, { adapter: '0000:99:00.0' }]
      const [error, asked, opened] = await run({ where: 'here', open }, env)
      expect([asked, opened]).toEqual(['asked 61:00.0', 'opened 0000:61:00.0'])
      expect(error).toMatch(/^no-adapter: .*0000:99:00\.0.*0000:41:00\.0, 0000:61:00\.0, 0000:81:00\.0$/)
    })

    it('are not opened where they have gone and another one answers', async () => {
      const { cards } = await list(await machineWith(equal, folder, { layer: true }))
      const env = await machineWith([{ name: 'Gamma', bus: '41' }], folder, { layer: true })
      const [error] = await run({ where: 'here', open: [{ card: cards[0] }] }, env)
      expect(error).toMatch(/^no-adapter: Alpha 8GB at 0000:41:00\.0 was asked for, and gamma/)
    })

    it('are pinned in Deno too', async () => {
      const env = await machineWith(equal, folder, { layer: true })
      const { cards } = await list(env)
      const source = fileURLToPath(new URL('card_program.ts', import.meta.url))
      const open = [...cards].reverse().map((card) => ({ card }))
      expect(await run({ where: 'here', open }, env, [DENO, 'run', '-A', source])).toEqual(
        opensWhatIsAsked([...cards].reverse()),
      )
    })

    it('that Vulkan does not show are told of', async () => {
      const bus = [...equal, { bus: 'a1' }].map(({ bus }) => ({ pci: `0000:${bus}:00.0`, id: '10de:ffff' }))
      const { cards, problems } = await list(await machineWith(equal, folder, { layer: true }), { bus })
      expect(cards).toHaveLength(3)
      expect(problems.map(({ what }) => what)).toEqual([
        expect.stringMatching(/^the card at 0000:a1:00\.0 \(10de:ffff\)/),
      ])
    })

    it('are not told apart where the layer is switched off', async () => {
      const env = { ...(await machineWith(equal, folder, { layer: true })), NODEVICE_SELECT: '1' }
      const { cards, problems } = await list(env)
      expect(cards.map(cardName)).toEqual(['3 x Alpha 8GB'])
      expect(problems).toMatchObject([{ mend: 'unset NODEVICE_SELECT' }])
    })
  })
})
