import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { packedApp } from '../support/packed_app.ts'

/**
 * kB gzipped (1000 bytes), minified, without weights: the worker's script and what a page needs to start it, which is all
 * that draws; and the whole library in the page itself. docs/npm.md has them too.
 */
const BUDGET = { drawing: 150, whole: 180, 'an error class': 1 }

const { folder, installed, remove } = packedApp()
afterAll(remove)

const kilobytesOf = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length / 1000

/** A module of an app's, bundled with what it imports. */
async function bundled(contents: string) {
  const result = await build({
    stdin: { contents, resolveDir: folder },
    ...{ bundle: true, format: 'esm', minify: true, write: false, metafile: true, outdir: join(folder, 'out') },
    logLevel: 'silent',
  })
  const { inputs } = result.metafile
  return {
    kilobytes: kilobytesOf(result.outputFiles[0].contents),
    modules: Object.keys(inputs),
    imports: Object.values(inputs).flatMap(({ imports }) => imports),
    warnings: result.warnings,
  }
}

describe.each(['webdit', 'webdit/rank', 'webdit/standalone'])('%s in a browser', (entry) => {
  it('reaches no module of Node, nor any that is missing', async () => {
    const { modules, imports, warnings } = await bundled(`import * as all from '${entry}'; console.log(all)`)
    expect(modules.filter((name) => /\.node\.[jt]s$/.test(name))).toEqual([])
    expect(imports.filter(({ path, external }) => external || isBuiltin(path))).toEqual([])
    expect(warnings).toEqual([])
    // The worker's script and the library for pages without a bundler are whole: beside them is the importing module alone.
    if (entry !== 'webdit') expect(modules).toHaveLength(2)
    else expect(modules.length).toBeGreaterThan(100)
  })
})

describe('the size of what a page loads', () => {
  it('is within the budget', async () => {
    const page = await bundled("export { startRank } from 'webdit'")
    const worker = kilobytesOf(readFileSync(join(installed, 'dist/browser/pipelines/rank.js'))) // as it is: minified
    const whole = await bundled("import * as all from 'webdit'; console.log(all)")
    console.log(`a page ${page.kilobytes} kB, its worker ${worker} kB, the whole library ${whole.kilobytes} kB`)
    expect(page.kilobytes + worker).toBeLessThanOrEqual(BUDGET.drawing)
    expect(whole.kilobytes).toBeLessThanOrEqual(BUDGET.whole)
  })

  it('is that of what the page imports', async () => {
    const error = await bundled("export { DitError } from 'webdit'")
    expect(error.kilobytes).toBeLessThan(BUDGET['an error class'])
    const unused = await bundled("import 'webdit'")
    expect(unused.kilobytes).toBeLessThan(0.05)
  })
})
