import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether this machine has the server; CI says that it must. */
export const HAS_NATS = hasNats()

function hasNats(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    const what = 'test/cluster needs nats-server, which is not here: apt-get install nats-server'
    if (process.env.WEBDIT_NEEDS_NATS) throw new Error(what)
    console.log(`NOT RUN: ${what}`)
    return false
  }
}

export interface NatsServer {
  readonly port: number
  readonly url: string
  readonly pid: number
  /** Ends it at once, as a power cut would, and starts it again on the same port and files. */
  restart(pause?: number): Promise<void>
  stop(): Promise<void>
}

/** Starts a server on a free port of the loopback, with files of its own. @param config of the server, besides those */
export async function startNats(config = ''): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'webdit-nats-'))
  const port = await freePort()
  const file = join(folder, 'nats.conf')
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(join(folder, 'js'))} }\n${config}\n`,
  )
  let child = await begin(file)
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid!
    },
    async restart(pause = 0) {
      await end(child, 'SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, pause))
      child = await begin(file)
    },
    async stop() {
      await end(child, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function begin(file: string): Promise<ChildProcess> {
  const child = spawn('nats-server', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (chunk) => {
      said += chunk
      if (said.includes('Server is ready')) resolve(child)
    })
    child.on('exit', () => reject(new Error(`nats-server ended: ${said}`)))
  })
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
