import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'

export interface NodeProcess {
  readonly child: ChildProcess
  /** What it said so far. */
  readonly said: string
  /** Settles when it takes jobs, or lends ranks. */
  readonly ready: Promise<void>
  readonly ended: Promise<number | NodeJS.Signals | null>
}

/** Starts `webdit node`, as a shell would. */
export function startNode(url: string, flags: readonly string[], env = process.env): NodeProcess {
  const argv = [resolve('dist/cli.js'), 'node', '--nats', url, '--device_flops', '1TFLOPS', ...flags]
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const ended = new Promise<number | NodeJS.Signals | null>((found) => {
    child.on('exit', (code, signal) => found(code ?? signal))
  })
  const ready = new Promise<void>((found, lost) => {
    const hear = (chunk: Buffer) => {
      said += chunk
      if (/^\S+ (draws|lends) /m.test(said)) found()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    void ended.then((how) => lost(new Error(`the node ended (${how}): ${said}`)))
  })
  ready.catch(() => {})
  return {
    child,
    get said() {
      return said
    },
    ready,
    ended,
  }
}
