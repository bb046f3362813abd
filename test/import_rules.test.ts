import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../scripts/import-rules.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'webdit-imports-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the check over a tree with these sources under src/; the offences without their messages' tails. */
function check(name: string, sources: Record<string, string>) {
  for (const [file, text] of Object.entries(sources)) {
    const path = join(folder, name, 'src', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, join(folder, name)], { encoding: 'utf8' })
  return { status, offences: stderr.split('\n').filter(Boolean) }
}

describe('scripts/import-rules.mjs', () => {
  it('finds no offence in webdit', () => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('passes what the house allows', () => {
    const sources = {
      'index.ts': "export { a } from './pipelines/a.ts'\nexport type { T } from './runtime/t.ts'\n",
      'pipelines/a.ts': "import { t } from '../runtime/t.ts'\nexport const a = t\n",
      'runtime/t.ts': "import { w } from '../wgsl/w.ts'\nexport type T = number\nexport const t = w\n",
      // A circle of types is none when the program runs, and import() runs later.
      'runtime/u.node.ts': "import type { V } from './v.ts'\nimport 'node:fs'\nexport type U = V\n",
      'runtime/v.ts': "export type V = 1\nexport const u = () => import('./u.node.ts')\n",
      'wgsl/w.ts': 'export const w = 1\n',
      'cli/main.ts': "import { a } from '../index.ts'\nimport { join } from 'node:path'\njoin(a)\n",
    }
    expect(check('allowed', sources)).toEqual({ status: 0, offences: [] })
  })

  it('names each offence with its file and line', () => {
    const sources = {
      'index.ts': "export { p } from './parallel/p.ts'\nexport const here = 1\n",
      'wgsl/w.ts': "\nimport { r } from '../runtime/r.ts'\nexport const w = r\n",
      'runtime/r.ts': "import { readFileSync } from 'node:fs'\nexport const r = readFileSync\n",
      'runtime/s.ts': "import { main } from '../cli/main.ts'\nexport const s = main\n",
      'parallel/p.ts':
        "export const p: import('../models/m.ts').M = 1\nnew URL('../pipelines/q.ts', import.meta.url)\n",
      'pipelines/q.ts': "export const q = import('./missing.ts')\n",
      'models/m.ts': "export type M = 1\nexport { n } from './n.ts'\n",
      'models/n.ts': "import './m.ts'\nexport const n = 1\n",
      'cli/main.ts': 'export const main = 1\n',
      'utils/x.ts': 'export const x = 1\n',
    }
    const { status, offences } = check('offences', sources)
    expect(status).toBe(1)
    expect(offences).toEqual([
      'src/index.ts:2: re-exports only',
      'src/models/m.ts:1: imports in a circle: src/models/m.ts → src/models/n.ts → src/models/m.ts',
      'src/parallel/p.ts:1: parallel may not import models',
      'src/parallel/p.ts:2: parallel may not import pipelines',
      "src/pipelines/q.ts:1: './missing.ts' is no file; relative imports carry their extension",
      "src/runtime/r.ts:1: 'node:fs' belongs in *.node.ts, src/cli or src/server",
      'src/runtime/s.ts:1: runtime may not import cli',
      expect.stringMatching(/^src\/utils\/x\.ts:1: src\/ has no part 'utils'/),
      'src/wgsl/w.ts:2: wgsl may not import runtime',
    ])
  })
})
