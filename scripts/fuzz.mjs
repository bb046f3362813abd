// npm run fuzz -- [--cases 100000] [--seed 7] [arguments of test/fuzz/main.ts]
// Bundles the fuzzer with the sources that it damages files for, outside dist/ and so outside the package, and runs it.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
// Under node_modules, so that the packages left out of the bundle resolve.
const outDir = fileURLToPath(new URL('../node_modules/.cache/webdit-fuzz', import.meta.url))
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  build: {
    ssr: true,
    target: 'node20',
    outDir,
    emptyOutDir: true,
    rolldownOptions: { input: ['test/fuzz/main.ts', 'test/fuzz/child.ts'] },
  },
})
process.chdir(root)
await import(new URL('../node_modules/.cache/webdit-fuzz/main.js', import.meta.url).href)
