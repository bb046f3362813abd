// npm run test:mesh -- [arguments of test/mesh/main.ts]
// Bundles the long comparison of meshes with one device outside dist/, and so outside the package, and runs it.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
// Under node_modules, so that the packages left out of the bundle resolve.
const outDir = fileURLToPath(new URL('../node_modules/.cache/webdit-mesh', import.meta.url))
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  build: {
    ssr: true,
    target: 'node20',
    outDir,
    emptyOutDir: true,
    rolldownOptions: { input: ['test/mesh/main.ts'] },
  },
})
process.chdir(root)
process.env.WEBDIT_MODEL ??= fileURLToPath(new URL('../models/emoji-pixart/', import.meta.url))
process.argv[1] = fileURLToPath(new URL('../node_modules/.cache/webdit-mesh/main.js', import.meta.url))
await import(process.argv[1])
