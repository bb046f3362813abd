// linear, rung 3: no workgroup memory and no barrier; a thread reads four values of depth at once, straight from
// storage, and computes 8 x 8 outputs in registers: each load serves eight products of four.
// SwiftShader, two cores, 256 x 1024 x 256: 1.8 GFLOP/s.
import type { Contestant } from '../../race.ts'
import { matmulContestant } from './matmul_contestant.ts'

export const registers8x8: Contestant = matmulContestant('3 registers 8x8', {
  tm: 8,
  tn: 8,
  lx: 4,
  ly: 2,
  rolled: true,
  quads: false,
})
