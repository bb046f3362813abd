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
