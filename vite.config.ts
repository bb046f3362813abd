import { chmodSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { build, defineConfig, type InlineConfig, type Plugin } from 'vite'
import manifest from './package.json' with { type: 'json' }
import { withoutNode } from './vite.browser.ts'

/** dist/NAME.js and what it is built from; an entry of its own for each way into a process or worker. */
const ENTRIES = {
  index: 'src/index.ts',
  cli: 'src/cli/main.ts',
  rank: 'src/pipelines/rank.ts',
  vulkan: 'src/runtime/platform/software_vulkan.node.ts',
}

/** dist/browser/NAME.js: each whole in one file, so that bundlers can make any kind of worker of rank.js. */
const BROWSER_ENTRIES = ['index', 'rank'] as const

const dependencies = Object.keys(manifest.dependencies)

/** Modules with their dependencies left to whoever installs the package, not pages. */
const library: InlineConfig['build'] = {
  ssr: true,
  sourcemap: true,
  minify: false,
  reportCompressedSize: false,
}

export default defineConfig({
  build: {
    ...library,
    target: 'node20',
    outDir: 'dist',
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
    builtRank(),
    {
      name: 'executable-cli',
      writeBundle() {
        chmodSync('dist/cli.js', 0o755)
      },
    },
    {
      name: 'for-browsers',
      async closeBundle() {
        for (const entry of BROWSER_ENTRIES) await build(forBrowsers(entry))
      },
    },
  ],
})

/** What the package's condition 'browser' names. */
function forBrowsers(entry: (typeof BROWSER_ENTRIES)[number]): InlineConfig {
  return {
    root: import.meta.dirname,
    configFile: false,
    logLevel: 'warn',
    build: {
      ...library,
      target: 'es2022',
      outDir: 'dist/browser',
      emptyOutDir: false, // dist/ was emptied before
      rolldownOptions: {
        input: { [entry]: ENTRIES[entry] },
        external: dependencies,
        output: { entryFileNames: '[name].js', codeSplitting: false },
      },
    },
    plugins: [withoutNode(), builtRank()],
  }
}

/** Names the built worker where the sources name theirs. */
function builtRank(): Plugin {
  return {
    name: 'built-rank',
    renderChunk(code, { fileName }) {
      const script = fileName.includes('/') ? '../rank.js' : './rank.js'
      return {
        code: code.replace(/(new URL\(["'])\.\/rank\.ts(["'], import\.meta\.url\))/g, `$1${script}$2`),
        map: null,
      }
    },
  }
}
