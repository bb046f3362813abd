import type { Plugin } from 'vite'

/**
 * Leaves the modules of other runtimes (*.node.ts) out of what is built for browsers, so that none of `node:` reaches a
 * page: their imports, which no browser comes to, become rejections.
 */
export function withoutNode(): Plugin {
  return {
    name: 'webdit-without-node',
    enforce: 'pre', // while the specifiers are still those of the sources
    transform(code, id) {
      if (!id.includes('/src/') || !/\.node\.ts'/.test(code)) return
      const importOfNode = /\bimport\('([^']+\.node\.ts)'\)/g
      return { code: code.replace(importOfNode, "Promise.reject(new Error('$1 is not for browsers'))"), map: null }
    },
    resolveId(source) {
      if (/\.node(\.ts)?$/.test(source))
        throw new Error(`${source} would reach the browser: import it with await import()`)
    },
  }
}
