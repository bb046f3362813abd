// npm run test:survive -- [arguments of test/survive/main.ts]
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

process.env.WEBDIT_MODEL ??= fileURLToPath(new URL('../models/emoji-pixart/', import.meta.url))
await buildIfStale()
process.env.WEBDIT_RANK ??= new URL('../test/faults/faulty_rank.mjs', import.meta.url).href
await run((await bundle('survive', { main: 'test/survive/main.ts' })).main)
