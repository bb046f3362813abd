import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { App } from './api/app.ts'

export interface Listening {
  readonly port: number
  /** Ends it, and every connection. */
  close(): Promise<void>
}

/**
 * Answers requests at an address of this machine. Deno has node:http too, whose requests tell that a client has left, and
 * nothing else; those of Deno.serve say so after every answer.
 *
 * @param port 0 for any that is free
 */
export async function listen(app: Hono<App>, host: string, port: number): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: (request, env) =>
      app.fetch(request, { address: 'incoming' in env ? env.incoming.socket.remoteAddress : undefined }),
    overrideGlobalObjects: false,
  }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
