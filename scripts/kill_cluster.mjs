// npm run test:kill-cluster -- [arguments of test/cluster/kill_main.ts]
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

await buildIfStale()
await run((await bundle('kill-cluster', { main: 'test/cluster/kill_main.ts' })).main)
