import { chmodSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { build, defineConfig, type InlineConfig, type Plugin } from 'vite'
import manifest from './package.json' with { type: 'json' }
import { notices, withoutNode } from './vite.browser.ts'

/** dist/NAME.js and what it is built from; an entry of its own for each way into a process or worker. */
const ENTRIES = {
  index: 'src/index.ts',
  cli: 'src/cli/main.ts',
  rank: 'src/pipelines/rank.ts',
  vulkan: 'src/runtime/platform/software_vulkan.node.ts',
}

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
      writeBundle({ dir }) {
        chmodSync(join(dir!, 'cli.js'), 0o755)
      },
    },
    forBrowsers(),
  ],
})

/** Builds dist/browser beside the rest. */
function forBrowsers(): Plugin {
  let outDir = ''
  return {
    name: 'for-browsers',
    writeBundle({ dir }) {
      outDir = join(dir!, 'browser')
    },
    async closeBundle() {
      const parts = [modules(), whole('pipelines/rank', ENTRIES.rank), whole('standalone', ENTRIES.index)]
      for (const part of parts) await build({ ...part, build: { ...part.build, outDir, emptyOutDir: false } })
    },
  }
}

const inBrowsers: InlineConfig = {
  root: import.meta.dirname,
  configFile: false,
  logLevel: 'warn',
  build: { ...library, target: 'es2022', sourcemap: false },
  plugins: [withoutNode(), builtRank('pipelines/rank.js'), notices()],
}

/** What the package's condition 'browser' names: a file for each of the sources, of which a bundler takes what is used. */
function modules(): InlineConfig {
  return {
    ...inBrowsers,
    build: {
      ...inBrowsers.build,
      rolldownOptions: {
        input: { index: ENTRIES.index },
        external: dependencies,
        output: { entryFileNames: '[name].js', preserveModules: true, preserveModulesRoot: 'src' },
      },
    },
  }
}

/**
 * One file with all that it needs: the worker's script, so that bundlers can make any kind of worker of it and none has
 * to resolve anything there; and the library for pages without a bundler.
 */
function whole(name: string, entry: string): InlineConfig {
  return {
    ...inBrowsers,
    ssr: { target: 'webworker', noExternal: true }, // dependencies too, as they are for browsers
    build: {
      ...inBrowsers.build,
      minify: true,
      sourcemap: true,
      rolldownOptions: { input: { [name]: entry }, output: { entryFileNames: '[name].js', codeSplitting: false } },
    },
  }
}

/** Names the built worker, a path in the output, where the sources name theirs. */
function builtRank(built = 'rank.js'): Plugin {
  return {
    name: 'built-rank',
    renderChunk(code, { fileName }) {
      const path = posix.relative(posix.dirname(fileName), built)
      const script = path.startsWith('.') ? path : `./${path}`
      return {
        code: code.replace(/(new URL\(["'`])\.\/rank\.ts(["'`], ?import\.meta\.url\))/g, `$1${script}$2`),
        map: null,
      }
    },
  }
}
