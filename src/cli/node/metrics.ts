import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Histogram, Registry } from 'prom-client'
import type { Ending, JobHooks } from '../../cluster/node/worked_job.ts'
import { DitError } from '../../runtime/errors.ts'

export interface NodeMetrics extends JobHooks {
  stepped(): void
  ended(ending: Ending): void
  /** Where they are read; none where nobody asked for that. */
  readonly address: string | undefined
}

/** Seconds, from a small model's picture to a large one's. */
const SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** Counts what a node does; with a port, this machine can read it there while `body` goes on. @throws DitError 'io' */
export async function withMetrics(port: number | undefined, body: (metrics: NodeMetrics) => Promise<void>) {
  const registry = new Registry()
  const registers = [registry]
  const jobs = new Counter({
    name: 'webdit_node_jobs_total',
    help: 'Jobs that this node was given, by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
  })
  const steps = new Counter({ name: 'webdit_node_steps_total', help: 'Denoising steps run.', registers })
  const seconds = new Histogram({
    name: 'webdit_node_job_seconds',
    help: 'Time that a job took on this node.',
    buckets: SECONDS,
    registers,
  })
  const server = createServer(async ({ url }, response) => {
    if (url !== '/metrics') return void response.writeHead(404).end()
    response.setHeader('content-type', registry.contentType).end(await registry.metrics())
  })
  if (port !== undefined) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    }).catch((cause: NodeJS.ErrnoException) => {
      throw new DitError('io', `cannot listen on port ${port} (${cause.code})`, 'Choose another --metrics_port.', {
        cause,
      })
    })
  }
  try {
    await body({
      stepped: () => steps.inc(),
      ended: (ending) => {
        jobs.inc({ outcome: ending.outcome.replace(' ', '_') })
        if (ending.outcome === 'drawn') seconds.observe(ending.seconds)
      },
      address: server.listening ? `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics` : undefined,
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}
