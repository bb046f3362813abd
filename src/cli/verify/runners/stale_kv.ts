import type { Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

const METHODS: Readonly<Record<string, string>> = { pipefusion: 'PipeFusion', distrifusion: 'DistriFusion' }

/** Patches that attend to keys and values of the step before. */
export const staleKvRunner: Runner = {
  async run({ case: { meta } }) {
    const method = String(meta.method)
    throw notBuilt(`${METHODS[method] ?? method} of ${meta.class}`)
  },
}
