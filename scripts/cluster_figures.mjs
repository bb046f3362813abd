// npm run test:cluster-figures -- [arguments of test/cluster/figures_main.ts]
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

await buildIfStale()
await run((await bundle('cluster-figures', { main: 'test/cluster/figures_main.ts' })).main)
