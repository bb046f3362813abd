import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, createLogger, mergeConfig, preview, type UserConfig } from 'vite'

/** A page as Vite builds and serves it. */
export interface Site {
  /** What the build and the servers warned of. */
  readonly warnings: string[]
  /** Where the page is served, with the headers of its config. */
  readonly address: string
  /** Serves the same build with another config; returns the address. */
  serve(config: UserConfig): Promise<string>
  close(): Promise<void>
}

/** Builds a page into a temporary folder and serves it. */
export async function buildSite(config: UserConfig): Promise<Site> {
  const outDir = mkdtempSync(join(tmpdir(), 'webdit-site-'))
  const warnings: string[] = []
  const logger = createLogger('silent')
  // How long the plugins took on a busy machine is nothing about the page.
  logger.warn = (message) => void (message.includes('PLUGIN_TIMINGS') || warnings.push(message))
  logger.warnOnce = logger.warn
  logger.error = logger.warn
  const quiet = { configFile: false, customLogger: logger, build: { outDir, emptyOutDir: true } } as const
  await asFromShell(() => build(mergeConfig(config, quiet)))
  const servers: { close(): Promise<void> }[] = []
  const serve = async (served: UserConfig) => {
    const server = await preview(mergeConfig(served, { ...quiet, preview: { port: 0, host: '127.0.0.1' } }))
    servers.push(server)
    return server.resolvedUrls!.local[0]
  }
  return {
    warnings,
    address: await serve(config),
    serve,
    async close() {
      await Promise.all(servers.map((server) => server.close()))
      rmSync(outDir, { recursive: true, force: true })
    },
  }
}

/** Vite builds otherwise, and keeps warnings to itself, where NODE_ENV is 'test'. */
async function asFromShell(body: () => Promise<unknown>): Promise<void> {
  const { NODE_ENV } = process.env
  process.env.NODE_ENV = 'production'
  try {
    await body()
  } finally {
    process.env.NODE_ENV = NODE_ENV
  }
}
