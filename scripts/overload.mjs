// npm run test:overload -- [arguments of test/overload/main.ts]
import { buildIfStale } from './build_if_stale.mjs'
import { bundle, run } from './bundle.mjs'

await buildIfStale()
await run((await bundle('overload', { main: 'test/overload/main.ts' })).main)
