// npm run bench -- [arguments of bench/main.ts], or with the name of another program and its arguments:
// npm run bench -- processes | threads | mesh | model | load | matrix | linear | quality | caches | peers | offload …
import { bundle, run } from './bundle.mjs'

const programs = await bundle('bench', {
  main: 'bench/main.ts',
  processes: 'bench/fabric/processes.ts',
  threads: 'bench/fabric/threads.ts',
  mesh: 'bench/mesh/main.ts',
  model: 'bench/model/main.ts',
  load: 'bench/load.ts',
  matrix: 'bench/matrix/main.ts',
  linear: 'bench/weights/speed.ts',
  quality: 'bench/weights/quality.ts',
  caches: 'bench/caches/sweep.ts',
  peers: 'bench/peers/main.ts',
  offload: 'bench/offload.ts',
})
await run(programs[process.argv[2]] ?? programs.main)
