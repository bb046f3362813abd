// npm run fuzz -- [--cases 100000] [--seed 7] [arguments of test/fuzz/main.ts]
import { bundle, run } from './bundle.mjs'

await run((await bundle('fuzz', { main: 'test/fuzz/main.ts', child: 'test/fuzz/child.ts' })).main)
