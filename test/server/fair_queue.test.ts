import { describe, expect, it } from 'vitest'
import { FairQueue, type Waiting } from '../../src/server/queue/fair_queue.ts'

interface Item extends Waiting {
  readonly name: string
}

/** 'a1' is the client a's first item; one with a shape is written 'a1/tall'. */
const items = (...texts: string[]): Item[] =>
  texts.map((text) => {
    const [name, shape = 'square'] = text.split('/')
    return { name, client: name[0], shape }
  })

function queueOf(places: number, ...texts: string[]): FairQueue<Item> {
  const queue = new FairQueue<Item>(places)
  for (const item of items(...texts)) expect(queue.push([item])).toBe(true)
  return queue
}

const names = (taken: Item[]): string[] => taken.map(({ name }) => name)

describe('FairQueue', () => {
  it('gives each client a turn, however much one has brought', () => {
    const queue = queueOf(100, 'a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1')
    const order = Array.from({ length: 7 }, () => names(queue.take(1))[0])
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
    expect([queue.length, queue.clients, queue.take(1)]).toEqual([0, 0, []])
  })

  it('fills a batch with what has the shape of whose turn it is, a turn each', () => {
    const queue = queueOf(100, 'a1', 'a2/tall', 'a3', 'b1/tall', 'b2', 'c1')
    expect(names(queue.take(4))).toEqual(['a1', 'b2', 'c1', 'a3'])
    expect(names(queue.take(4))).toEqual(['b1', 'a2'])
  })

  it('never lets a shape wait for ever behind one that many ask for', () => {
    const queue = queueOf(100, 'a1', 'b1/tall')
    queue.take(2)
    queue.push(items('a2'))
    queue.push(items('c1'))
    expect(names(queue.take(2))).toEqual(['b1'])
  })

  it('has what comes back next in turn, by itself where it must be alone', () => {
    const queue = queueOf(100, 'a1', 'b1', 'c1')
    const taken = queue.take(2)
    for (const item of taken) item.alone = true
    queue.putBack(taken)
    expect([names(queue.take(2)), names(queue.take(2)), names(queue.take(2))]).toEqual([['a1'], ['b1'], ['c1']])
  })

  it('is bounded, and leaves half of what is free to others', () => {
    const queue = queueOf(8, 'a1', 'a2', 'a3', 'a4')
    expect(queue.push(items('a5'))).toBe(false)
    expect(queue.push(items('b1', 'b2'))).toBe(true)
    expect(queue.push(items('b3'))).toBe(false)
    expect([queue.push(items('c1')), queue.push(items('d1')), queue.push(items('e1'))]).toEqual([true, true, false])
    expect(queue.length).toBe(8)
  })

  it('takes all of a request or nothing', () => {
    const queue = queueOf(4)
    expect(queue.push(items('a1', 'a2', 'a3', 'a4', 'a5'))).toBe(false)
    expect(queue.length).toBe(0)
    expect(queue.push(items('a1', 'a2', 'a3', 'a4'))).toBe(true)
  })

  it('forgets what nobody waits for', () => {
    const queue = queueOf(100, 'a1', 'b1', 'a2')
    expect(queue.remove(({ client }) => client === 'a')).toBe(2)
    expect([queue.length, names(queue.take(9))]).toEqual([1, ['b1']])
  })
})
