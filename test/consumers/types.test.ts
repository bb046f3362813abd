import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { packedApp } from '../support/packed_app.ts'

const TYPES = fileURLToPath(new URL('../../dist/types/index.d.ts', import.meta.url))

const PROGRAM = `
import { DiffusionPipeline, startRank } from 'webdit'
import { startTeam } from 'webdit/standalone'
import { ensureVulkan } from 'webdit/vulkan'
await ensureVulkan()
const pipe = await DiffusionPipeline.fromPretrained('model', { tier: 'f32' })
const { images } = await pipe('a red apple', { seed: 42 })
export const width: number = images[0].width
// @ts-expect-error
export const wrong: string = images[0].width
// @ts-expect-error
await pipe('a red apple', { seeds: 42 })
export const ranks = [await startRank('model'), startTeam]
`

// Types are not among what `npm test` builds: npm run build.
describe.skipIf(!existsSync(TYPES))('the types of the package (npm run build)', () => {
  const { folder, remove } = packedApp()
  afterAll(remove)
  const main = join(folder, 'main.ts')
  writeFileSync(main, PROGRAM)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')

  it('are found, and whole', () => {
    const program = ts.createProgram([main], {
      ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
      ...{ noEmit: true, strict: true, target: ts.ScriptTarget.ES2022, types: [] },
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts', 'lib.esnext.disposable.d.ts'],
    })
    const complaints = ts.getPreEmitDiagnostics(program)
    expect(complaints.map(({ messageText, file }) => [file?.fileName, messageText])).toEqual([])
  })
})
