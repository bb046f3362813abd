import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { Feed, type FeedOptions } from '../../src/server/queue/feed.ts'
import { Job } from '../../src/server/queue/job.ts'
import { Refusal } from '../../src/server/refusal.ts'
import { gate, TestDrawer } from './test_drawer.ts'

const request = (prompt: string, n = 1, height = 32) => ({
  texts: { prompt },
  seeds: Array.from({ length: n }, (_, i) => i),
  call: { height },
})

function feedOf(drawers: TestDrawer[], options: Partial<FeedOptions> = {}) {
  const lines = drawers.map((drawer) => ({ drawer, open: async () => drawer }))
  return new Feed(lines, { places: 16, mostTogether: 4, metrics: new Metrics(), onNote() {}, ...options })
}

const submitted = (feed: Feed, job: Job, seconds = 10): Job => {
  feed.submit(job, seconds)
  return job
}

/** Long enough for promises, in ms. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5))

describe('Feed', () => {
  it('draws together what has one shape, each with its own seed, and pictures of a request in order', async () => {
    const drawer = new TestDrawer()
    const first = gate()
    drawer.before = () => first.opened
    const feed = feedOf([drawer])
    const jobs = [submitted(feed, new Job(request('first'), 'd'))]
    await settled()
    jobs.push(
      submitted(feed, new Job(request('two', 2), 'a')),
      submitted(feed, new Job(request('tall', 1, 64), 'b')),
      submitted(feed, new Job(request('other'), 'c')),
    )
    first.open()
    const drawn = await Promise.all(jobs.map(({ done }) => done))
    expect(drawer.calls.map(({ prompts, call: { seed, height } }) => [prompts, seed, height])).toEqual([
      [['first'], [0], 32],
      [['two', 'other', 'two'], [0, 0, 1], 32],
      [['tall'], [0], 64],
    ])
    expect(drawn[1].map(({ seed }) => seed)).toEqual([0, 1])
    await feed.close()
    expect(drawer.closed).toBe(true)
  })

  it('feeds several meshes from one queue', async () => {
    const drawers = [new TestDrawer(), new TestDrawer()]
    const feed = feedOf(drawers)
    await settled()
    await Promise.all([1, 2, 3, 4].map((i) => submitted(feed, new Job(request(`${i}`), 'a')).done))
    expect(drawers.map(({ calls }) => calls.length > 0)).toEqual([true, true])
    expect(drawers.flatMap(({ calls }) => calls.flatMap(({ prompts }) => prompts)).sort()).toEqual(['1', '2', '3', '4'])
    await feed.close()
  })

  it('stops within a step when nobody waits any more, and goes on while somebody does', async () => {
    const drawer = new TestDrawer()
    drawer.steps = 1000
    let steps = 0
    drawer.before = async () => {
      steps++
      await settled()
    }
    const feed = feedOf([drawer])
    const [one, two] = [new Job(request('one'), 'a'), new Job(request('two'), 'b')]
    const blocking = submitted(feed, new Job(request('blocking'), 'a'))
    await settled()
    submitted(feed, one)
    submitted(feed, two)
    blocking.fail(new Error('left'))
    await expect.poll(() => drawer.calls.length).toBe(2) // the batch of both has begun
    one.fail(new Error('left'))
    await settled()
    const before = steps
    await expect.poll(() => steps).toBeGreaterThan(before + 1)
    two.fail(new Error('left'))
    const at = steps
    await settled()
    const next = submitted(feed, new Job(request('next'), 'a'))
    await expect.poll(() => drawer.calls.at(-1)?.prompts).toEqual(['next'])
    expect(steps - at).toBeLessThanOrEqual(2) // the step that ran, and the first of the next
    next.fail(new Error('left'))
    await feed.close()
  })

  it('tells who cannot be served in time, at once or when the time is over', async () => {
    const drawer = new TestDrawer()
    const hold = gate()
    drawer.before = () => hold.opened
    const feed = feedOf([drawer])
    const late = submitted(feed, new Job(request('late'), 'a'), 0.03)
    await expect(late.done).rejects.toMatchObject({ status: 504, code: 'deadline' })
    hold.open()
    drawer.before = () => new Promise((resolve) => setTimeout(resolve, 60))
    await submitted(feed, new Job(request('slow'), 'a')).done
    await settled() // by now it is known how long a picture takes
    expect(() => feed.submit(new Job(request('hasty'), 'a'), 0.01)).toThrow(Refusal)
    await feed.close()
    expect(() => feed.submit(new Job(request('after'), 'a'), 10)).toThrow('about to end')
  })

  it('turns away what the queue has no room for, and says when to come again', async () => {
    const drawer = new TestDrawer()
    const hold = gate()
    drawer.before = () => hold.opened
    const feed = feedOf([drawer], { places: 2 })
    const jobs = [submitted(feed, new Job(request('running'), 'a'))]
    await settled()
    jobs.push(submitted(feed, new Job(request('waiting'), 'a')))
    let refusal: unknown
    try {
      feed.submit(new Job(request('too much'), 'a'), 10)
    } catch (error) {
      refusal = error
    }
    expect(refusal).toMatchObject({ status: 429, code: 'queue_full', retryAfter: 1 })
    hold.open()
    await Promise.all(jobs.map(({ done }) => done))
    await feed.close()
  })

  it('draws alone what failed in a batch, so that only what is to blame fails', async () => {
    const drawer = new TestDrawer()
    const hold = gate()
    drawer.before = () => hold.opened
    drawer.failure = (prompts) => (prompts.includes('bad') ? new DitError('bad-argument', 'bad') : undefined)
    const feed = feedOf([drawer])
    const jobs = ['x', 'good', 'bad', 'fine'].map((prompt) => submitted(feed, new Job(request(prompt), 'a')))
    hold.open()
    const outcomes = await Promise.allSettled(jobs.map(({ done }) => done))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    await feed.close()
  })

  it('draws fewer together where so many do not fit the device', async () => {
    const drawer = new TestDrawer()
    const hold = gate()
    drawer.before = () => hold.opened
    drawer.failure = (prompts) => (prompts.length > 2 ? new DitError('out-of-memory', 'too much') : undefined)
    const notes: string[] = []
    const feed = feedOf([drawer], { onNote: (line) => notes.push(line) })
    const jobs = Array.from({ length: 5 }, (_, i) => submitted(feed, new Job(request(`${i}`), 'a')))
    hold.open()
    await Promise.all(jobs.map(({ done }) => done))
    await Promise.all(Array.from({ length: 3 }, (_, i) => submitted(feed, new Job(request(`${i}`), 'a')).done))
    expect(Math.max(...drawer.calls.slice(6).map(({ prompts }) => prompts.length))).toBeLessThanOrEqual(2)
    expect(notes).toEqual(['4 pictures at once do not fit the device: from now on 2 at most'])
    await feed.close()
  })

  it('opens a lost device again, draws there what was under way, and gives up a picture that loses two', async () => {
    const notes: string[] = []
    const opened: TestDrawer[] = []
    const open = async () => {
      const drawer = new TestDrawer()
      drawer.failure = (prompts) => {
        const lost = prompts.includes('deadly') || opened.length === 1
        return lost ? new DitError('device-lost', 'the device was lost') : undefined
      }
      opened.push(drawer)
      return drawer
    }
    const options = { places: 8, mostTogether: 1, metrics: new Metrics(), onNote: (line: string) => notes.push(line) }
    const feed = new Feed([{ open, drawer: await open() }], options)
    await submitted(feed, new Job(request('red'), 'a')).done
    expect(opened.map(({ calls }) => calls.length)).toEqual([1, 1])
    await expect(submitted(feed, new Job(request('deadly'), 'a')).done).rejects.toMatchObject({ kind: 'device-lost' })
    await submitted(feed, new Job(request('blue'), 'a')).done
    expect([opened.length, opened.slice(0, 3).every(({ closed }) => closed)]).toEqual([4, true])
    expect(notes.filter((line) => line === 'the device is open again')).toHaveLength(3)
    await feed.close()
  })
})
