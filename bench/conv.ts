import { conv2d } from '../src/runtime/ops/index.ts'
import { naive } from './kernels/conv/1_naive.wgsl.ts'
import { type Benchmark, type Contestant, type Row, race, random } from './race.ts'

/** 3x3 convolutions of an autoencoder's decoder: channels and side. */
const SIZES = [
  [64, 64],
  [128, 32],
]

const shipped: Contestant = {
  name: 'conv2d (shipped)',
  halves: true,
  record: (g, { x, w }) => conv2d(g, x, { weight: w }),
}

export const convBenchmark: Benchmark = async (device, options) => {
  const rows: Row[] = []
  for (const [channels, side] of SIZES) {
    const [x, w] = [random(side * side * channels), random(channels * 9 * channels)]
    rows.push(
      ...(await race(
        device,
        {
          what: `conv2d 3x3, ${channels} to ${channels} channels, ${side} x ${side}`,
          inputs: {
            x: { data: x, shape: [1, side, side, channels] },
            w: { data: w, shape: [channels, 3, 3, channels] },
          },
          expected: onHost(x, w, channels, side),
          flop: 2 * side * side * channels * 9 * channels,
          contestants: [naive, shipped],
        },
        options,
      )),
    )
  }
  return rows
}

function onHost(x: Float32Array, w: Float32Array, channels: number, side: number): Float64Array {
  const y = new Float64Array(side * side * channels)
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      for (let tap = 0; tap < 9; tap++) {
        const [iy, ix] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1]
        if (iy < 0 || ix < 0 || iy >= side || ix >= side) continue
        const from = (iy * side + ix) * channels
        const to = (row * side + column) * channels
        for (let o = 0; o < channels; o++) {
          const weightAt = (o * 9 + tap) * channels
          let sum = 0
          for (let c = 0; c < channels; c++) sum += x[from + c] * w[weightAt + c]
          y[to + o] += sum
        }
      }
  return y
}
