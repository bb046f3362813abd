// deno run -A program.ts: checks the f16 tier's kernels on the runtime's own WebGPU; prints a JSON list of results.
import { Device } from '../../../../src/runtime/device.ts'
import { openPlatform } from '../../../../src/runtime/platform/platform.ts'
import { variants } from '../../../wgsl/variants.ts'
import type { Result } from './check.ts'
import { overflow } from './overflow.ts'
import { parts } from './parts.ts'
import { products } from './products.ts'
import { quantizedWeights } from './quantized.ts'
import { rows } from './rows.ts'
import { textEncoders } from './text_encoders.ts'

const platform = await openPlatform({ backend: 'navigator' })
const device = await Device.open(platform, { tier: 'f16', checked: true, poison: true })
const results: Result[] = []
for (const [kind, all] of Object.entries(variants('f16', false))) {
  let faults = 0
  for (const [name, code] of all) {
    device.gpu.pushErrorScope('validation')
    device.gpu.createShaderModule({ code })
    const error = await device.gpu.popErrorScope()
    if (error) console.error(`${name}: ${error.message}`)
    if (error) faults++
  }
  results.push({ name: `${all.length} variants of ${kind} that are no valid WGSL`, error: faults, limit: 0 })
}
results.push(await overflow(platform))
for (const part of [products(device), rows(device), parts(device), quantizedWeights(device), textEncoders(device)])
  for await (const result of part) results.push(result)
console.log(JSON.stringify({ device: device.name, tier: device.tier, results }))
device.close()
platform.close()
