import { chmodSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { defineConfig } from 'vite'
import manifest from './package.json' with { type: 'json' }

/** dist/NAME.js and what it is built from; an entry of its own for each way into a process or worker. */
const ENTRIES = {
  index: 'src/index.ts',
  cli: 'src/cli/main.ts',
  rank: 'src/pipelines/rank.ts',
  vulkan: 'src/runtime/platform/software_vulkan.node.ts',
}

const dependencies = Object.keys(manifest.dependencies)

export default defineConfig({
  build: {
    ssr: true, // modules for Node, not a page
    target: 'node20',
    outDir: 'dist',
    sourcemap: true,
    minify: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: ENTRIES,
      external: [/^node:/, ...builtinModules, ...dependencies],
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name]-[hash].js',
        banner: (chunk) => (chunk.name === 'cli' ? '#!/usr/bin/env node' : ''),
      },
    },
  },
  plugins: [
    {
      name: 'executable-cli',
      writeBundle() {
        chmodSync('dist/cli.js', 0o755)
      },
    },
  ],
})
