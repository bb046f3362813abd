// Fits the linear map from latents to colours (latent_preview.json) that previews use: least squares between the
// latents of drawn pictures and the autoencoder's pictures of them, averaged over the pixels of each latent.
// Run in the repository's root after `npm run build`: node models/emoji-pixart/training/fit_preview.mjs
import { writeFileSync } from 'node:fs'
import { ensureVulkan } from '../../../dist/vulkan.js'

await ensureVulkan()
const { DiffusionPipeline } = await import('../../../dist/index.js')
const model = new URL('..', import.meta.url).pathname
const pipe = await DiffusionPipeline.fromPretrained(model)
const prompts = ['red apple', 'blue heart', 'green dragon', 'purple butterfly', 'pizza', 'rocket', 'snowman',
  'a yellow duck', 'orange cat', 'pink flower', 'brown bear', 'night sky with moon'] // prettier-ignore
const scale = 8 // pixels of a latent's side

// Normal equations of rgb ≈ W · [latent, 1].
let n
let ata
let atb
for (const [seed, prompt] of prompts.entries()) {
  const { images, latents } = await pipe(prompt, { seed, numInferenceSteps: 8 })
  const [, channels, height, width] = latents.shape
  n = channels + 1
  ata ??= Array.from({ length: n }, () => new Float64Array(n))
  atb ??= Array.from({ length: n }, () => new Float64Array(3))
  for (let i = 0; i < height * width; i++) {
    const row = Array.from({ length: channels }, (_, k) => latents.data[k * height * width + i])
    row.push(1)
    const rgb = [0, 0, 0]
    for (let p = 0; p < scale * scale; p++) {
      const y = Math.floor(i / width) * scale + Math.floor(p / scale)
      const x = (i % width) * scale + (p % scale)
      for (let c = 0; c < 3; c++) {
        rgb[c] += (images[0].data[(y * width * scale + x) * 3 + c] / 127.5 - 1) / scale ** 2
      }
    }
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) ata[a][b] += row[a] * row[b]
      for (let c = 0; c < 3; c++) atb[a][c] += row[a] * rgb[c]
    }
  }
  console.log(prompt)
}

const columns = [0, 1, 2].map((c) => solve(ata.map((r) => [...r]), atb.map((r) => r[c])))
const round = (v) => Number(v.toFixed(5))
const map = { weights: columns.map((w) => w.slice(0, n - 1).map(round)), bias: columns.map((w) => round(w[n - 1])) }
writeFileSync(`${model}/latent_preview.json`, `${JSON.stringify(map, undefined, 1)}\n`)
process.exit(0)

/** Gaussian elimination with pivoting. */
function solve(a, b) {
  for (let i = 0; i < b.length; i++) {
    const pivot = a.reduce((best, r, k) => (k >= i && Math.abs(r[i]) > Math.abs(a[best][i]) ? k : best), i)
    ;[a[i], a[pivot], b[i], b[pivot]] = [a[pivot], a[i], b[pivot], b[i]]
    for (let k = i + 1; k < b.length; k++) {
      const f = a[k][i] / a[i][i]
      for (let j = i; j < b.length; j++) a[k][j] -= f * a[i][j]
      b[k] -= f * b[i]
    }
  }
  const x = Array(b.length).fill(0)
  for (let i = b.length - 1; i >= 0; i--) {
    x[i] = (b[i] - a[i].slice(i + 1).reduce((s, v, k) => s + v * x[i + 1 + k], 0)) / a[i][i]
  }
  return x
}
