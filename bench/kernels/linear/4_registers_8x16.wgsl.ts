// linear, rung 4: 8 x 16 outputs a thread. A third fewer loads than rung 3 for the same products; twice the code.
// SwiftShader, two cores, 256 x 1024 x 256: 2.4 GFLOP/s.
// Above it is the shipped one (src/wgsl/matmul.ts with src/runtime/ops/linear.ts's chooseTile): 32 x 8 outputs a thread,
// and quads of threads share the rows that they load. 3.6 GFLOP/s.
import type { Contestant } from '../../race.ts'
import { matmulContestant } from './matmul_contestant.ts'

export const registers8x16: Contestant = matmulContestant('4 registers 8x16', {
  tm: 8,
  tn: 16,
  lx: 4,
  ly: 2,
  rolled: true,
  quads: false,
})
