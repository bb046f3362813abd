import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

const NODE_MODULE = /\.node(\.ts)?$/

/**
 * Leaves the modules of other runtimes (*.node.ts) out of what is built for browsers, so that none of `node:` reaches a
 * page: their imports, which no browser comes to, become rejections.
 */
export function withoutNode(): Plugin {
  return {
    name: 'webdit-without-node',
    enforce: 'pre', // while the specifiers are still those of the sources
    resolveId(source, _importer, options) {
      if (!NODE_MODULE.test(source)) return
      // The dev server looks for dependencies in sources that nothing has transformed; Vite's types keep it to themselves.
      if ((options as { scan?: boolean }).scan) return { id: source, external: true }
      throw new Error(`${source} would reach the browser: import it with await import()`)
    },
    transform(code, id) {
      if (!id.includes('/src/') || !code.includes(".node.ts'")) return
      const importOfNode = /\bimport\('([^']+\.node\.ts)'\)/g
      return { code: code.replace(importOfNode, "Promise.reject(new Error('$1 is not for browsers'))"), map: null }
    },
  }
}

/** Puts the licences of the packages that a build takes in beside it. */
export function notices(): Plugin {
  return {
    name: 'webdit-notices',
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).flatMap((output) => (output.type === 'chunk' ? [output] : []))
      const inside = chunks.flatMap(({ moduleIds }) => moduleIds.filter((id) => id.includes('/node_modules/')))
      const packages = [...new Set(inside.map(packageOf))].sort()
      if (packages.length === 0) return
      this.emitFile({ type: 'asset', fileName: 'NOTICES.txt', source: packages.map(noticeOf).join('\n') })
    },
  }
}

/** The folder of the package that a module is part of. */
function packageOf(id: string): string {
  let folder = dirname(id)
  while (!existsSync(join(folder, 'package.json')) || !readManifest(folder).name) folder = dirname(folder)
  return folder
}

const readManifest = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

function noticeOf(folder: string): string {
  const { name, version, license } = readManifest(folder)
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : ''
  return `${name} ${version}, ${license}\n\n${text}\n`
}
