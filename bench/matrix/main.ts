// npm run bench -- matrix
// Kernels on matrix units, by the card's own clock and at its full speed, beside what it multiplies in registers alone.
import { Device } from '../../src/runtime/device.ts'
import { openPlatform } from '../../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { MATRIX_PEAK_FLOP, MATRIX_PEAK_RESULTS, matrixPeak } from '../../src/wgsl/peak.ts'
import { attentions } from './attention.ts'
import { linears } from './linear.ts'
import { empty, runOf, Timing, uniforms } from './timing.ts'

await ensureVulkan()
const device = await Device.open(await openPlatform())
const { gpu } = device
if (device.tier !== 'matrix' || !device.features.has('timestamp-query')) {
  console.error(`${device.name} has no matrix units of 16 x 16 x 16, or no clock, that WebGPU tells of`)
  process.exit(2)
}
const timing = await Timing.open(gpu)
const [workgroups, turns] = [1056, 2048]
const peak = await runOf(
  gpu,
  matrixPeak(),
  [uniforms(gpu, [turns]), empty(gpu, 4 * MATRIX_PEAK_RESULTS)],
  [workgroups, 1, 1],
)
const speed = (workgroups * turns * MATRIX_PEAK_FLOP) / (await timing.milliseconds(peak, 1)) / 1e9
console.log(`${device.name}: ${speed.toFixed(0)} TFLOP/s in registers alone; * is what is shipped for a shape`)
await linears(gpu, timing)
await attentions(gpu, timing)
process.exit(0)
