// npm run bench -- [arguments of bench/main.ts]
// Bundles the benchmarks with the sources that they measure, outside dist/ and so outside the package, and runs them.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
// Under node_modules, so that the packages left out of the bundle resolve.
const outDir = fileURLToPath(new URL('../node_modules/.cache/webdit-bench', import.meta.url))
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  build: { ssr: true, target: 'node20', outDir, emptyOutDir: true, rolldownOptions: { input: 'bench/main.ts' } },
})
const program = new URL('../node_modules/.cache/webdit-bench/main.js', import.meta.url)
process.argv = [process.execPath, fileURLToPath(program), ...process.argv.slice(2)]
await import(program.href)
