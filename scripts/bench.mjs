// npm run bench -- [arguments of bench/main.ts], or with the name of another program and its arguments:
// npm run bench -- processes | threads | mesh …
// Bundles the benchmarks with the sources that they measure, outside dist/ and so outside the package, and runs them.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
// Under node_modules, so that the packages left out of the bundle resolve.
const outDir = fileURLToPath(new URL('../node_modules/.cache/webdit-bench', import.meta.url))
const input = {
  main: 'bench/main.ts',
  processes: 'bench/fabric/processes.ts',
  threads: 'bench/fabric/threads.ts',
  mesh: 'bench/mesh/main.ts',
}
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  build: { ssr: true, target: 'node20', outDir, emptyOutDir: true, rolldownOptions: { input } },
})
const name = process.argv[2] in input ? process.argv[2] : 'main'
const program = new URL(`../node_modules/.cache/webdit-bench/${name}.js`, import.meta.url)
process.argv = [process.execPath, fileURLToPath(program), ...process.argv.slice(2)]
await import(program.href)
