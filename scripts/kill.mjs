// npm run test:kill -- [arguments of test/kill/main.ts]
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

process.env.WEBDIT_MODEL ??= fileURLToPath(new URL('../models/emoji-pixart/', import.meta.url))
await buildIfStale()
process.env.WEBDIT_RANK ??= new URL('../dist/rank.js', import.meta.url).href
await run((await bundle('kill', { main: 'test/kill/main.ts' })).main)
