import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, expect, it } from 'vitest'
import { batchTrial } from './batch_trial.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
// In the package's own folder, as which it finds itself.
const outDir = join(ROOT, '.bundle/kill-batch')
const folder = mkdtempSync(join(tmpdir(), 'webdit-kill-batch-'))
afterAll(() => rmSync(folder, { recursive: true }))

// npm run test:kill-batch kills the built program while a model draws.
it('a batch that is killed five times at random moments loses nothing and draws nothing twice', async () => {
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'warn',
    build: { ssr: true, target: 'node20', outDir, rolldownOptions: { input: { child: 'test/kill/batch_child.ts' } } },
  })
  const { done, faults } = await batchTrial({
    folder,
    rows: 16,
    kills: 5,
    random: Math.random,
    command: (table, pictures) => [process.execPath, join(outDir, 'child.js'), pictures, table],
  })
  expect(faults).toEqual([])
  expect(done.at(-1)).toBeGreaterThan(0)
})
