// npm run bench -- load [--model NAME] [--folder DIR]
// Writes a transformer of a published model's shapes to a file (f16, the same 16 MiB over and over), loads it onto the device, and
// moves the same bytes through the same staging without converting them, in turns. Tells seconds, their ratio, and how much the
// process grew while it loaded.
import { closeSync, promises as fs, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadComponent } from '../src/models/component.ts'
import { RANDOM_MODELS } from '../src/pipelines/random_models/models.ts'
import { randomSource } from '../src/pipelines/random_models/random_source.ts'
import { Device } from '../src/runtime/device.ts'
import { openPlatform } from '../src/runtime/platform/platform.ts'
import { ensureVulkan } from '../src/runtime/platform/software_vulkan.node.ts'
import { openFolder } from '../src/runtime/weights/folder_source.node.ts'
import { readSafetensorsHeader } from '../src/runtime/weights/safetensors.ts'

const CHUNK = 16 * 2 ** 20
const FILE = 'diffusion_pytorch_model.safetensors'

await ensureVulkan()
const { values } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: 'pixart-sigma' }, folder: { type: 'string' } },
})
const source = await randomSource(values.model)
const [className, config] = RANDOM_MODELS[values.model].networks.transformer
const folder = mkdtempSync(join(values.folder ?? tmpdir(), 'webdit-load-'))
const path = join(folder, FILE)
try {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const bytes = await writeFile()
  const device = await Device.open(await openPlatform())
  console.log(`${values.model}: ${(bytes / 1e9).toFixed(2)} GB on ${device.name}, tier ${device.tier}`)
  for (let turn = 1; turn <= 2; turn++) {
    const raw = await timed(() => moveRaw(device, bytes))
    const grown = growth()
    const loaded = await timed(() => load(device))
    console.log(
      `turn ${turn}: raw ${gbs(bytes, raw)}, loaded ${gbs(bytes, loaded)}, ${((100 * raw) / loaded).toFixed(0)} % of it; ` +
        `the process grew by ${(grown() / 2 ** 20).toFixed(0)} MiB at most`,
    )
  }
  device.close()
} finally {
  rmSync(folder, { recursive: true })
}

async function writeFile(): Promise<number> {
  const inside = `transformer/${FILE}`
  const size = await source.size(inside)
  const { tensors } = await readSafetensorsHeader(source, inside)
  const header = new Uint8Array(Math.min(...[...tensors.values()].map(({ begin }) => begin)))
  await source.readInto(inside, 0, header)
  // Small f16 numbers of either sign.
  const block = Uint16Array.from({ length: CHUNK / 2 }, (_, i) => ((i * 40_503) & 0x83ff) | 0x2000)
  const file = openSync(path, 'w')
  writeSync(file, header)
  for (let at = header.length; at < size; at += CHUNK)
    writeSync(file, new Uint8Array(block.buffer), 0, Math.min(CHUNK, size - at))
  closeSync(file)
  return size
}

async function load(device: Device): Promise<void> {
  const opened = await openFolder(folder)
  const { weights } = await loadComponent(device, className, opened, '')
  weights.free()
  await opened.close()
}

/** The bytes of the file through mapped buffers, as loading moves them. */
async function moveRaw(device: Device, bytes: number): Promise<void> {
  const file = await fs.open(path)
  const chunk = new Uint8Array(CHUNK)
  const target = await device.buffer({ size: CHUNK, usage: GPUBufferUsage.COPY_DST })
  for (let at = 0; at < bytes; at += CHUNK) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, at)
    const size = Math.ceil(bytesRead / 4) * 4
    const staging = await device.buffer({ size, usage: GPUBufferUsage.COPY_SRC, mappedAtCreation: true })
    new Uint8Array(staging.getMappedRange()).set(chunk.subarray(0, size))
    staging.unmap()
    const encoder = device.gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(staging, 0, target, 0, size)
    device.gpu.queue.submit([encoder.finish()])
    staging.destroy()
  }
  await device.finished()
  target.destroy()
  await file.close()
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Bytes by which the process grows from now on, at most, when asked. */
function growth(): () => number {
  const before = process.memoryUsage().rss
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 20)
  return () => {
    clearInterval(timer)
    return Math.max(most, process.memoryUsage().rss) - before
  }
}

function gbs(bytes: number, seconds: number): string {
  return `${seconds.toFixed(2)} s (${(bytes / seconds / 1e9).toFixed(2)} GB/s)`
}
