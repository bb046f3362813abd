// esbuild bundles no workers by itself: the worker's script is an entry of its own, and lands beside the page's.
import { cpSync } from 'node:fs'
import { build } from 'esbuild'

await build({
  entryPoints: { main: './main.js', rank: 'webdit/rank' },
  bundle: true,
  format: 'esm',
  minify: true,
  outdir: 'dist',
  logLevel: 'warning',
})
cpSync('index.html', 'dist/index.html')
