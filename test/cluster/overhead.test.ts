import { describe, expect, it } from 'vitest'
import { queueOverhead } from './queue_overhead.ts'
import { HAS_NATS, startNats } from './support/nats_server.ts'

// 200 jobs, and what an idle cluster takes: npm run test:cluster-figures.
describe.skipIf(!HAS_NATS)('the queue', () => {
  it('adds at most 50 ms to a job', async () => {
    const server = await startNats()
    const { median, together } = await queueOverhead(server.url, 30)
    await server.stop()
    expect(median).toBeLessThan(50)
    expect(together).toBeLessThan(50)
  })
})
