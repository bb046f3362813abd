import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

/** A runner for calls of a class: one function for each method that webdit has. */
export function calls(className: string, methods: Readonly<Record<string, (run: Run) => Promise<void>>>): Runner {
  return {
    async run(run) {
      const method = run.meta.call?.method
      if (typeof method !== 'string' || !Object.hasOwn(methods, method)) throw notBuilt(`${className}.${method}`)
      await methods[method](run)
    },
  }
}
