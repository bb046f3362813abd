import { wrap } from 'comlink'
import type { GoldenWorker } from './worker.ts'

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
const { verify, verifyPipeline, draw } = wrap<GoldenWorker>(worker)
Object.assign(globalThis, { verify, verifyPipeline, draw })
