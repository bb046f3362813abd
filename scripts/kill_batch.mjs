// npm run test:kill-batch -- [arguments of test/kill/batch_main.ts]
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

await buildIfStale()
await run((await bundle('kill-batch-main', { main: 'test/kill/batch_main.ts' })).main)
