// npm run test:mesh -- [arguments of test/mesh/main.ts]
import { fileURLToPath } from 'node:url'
import { bundle, run } from './bundle.mjs'

process.env.WEBDIT_MODEL ??= fileURLToPath(new URL('../models/emoji-pixart/', import.meta.url))
await run((await bundle('mesh', { main: 'test/mesh/main.ts' })).main)
