import type { ChildProcess } from 'node:child_process'
import type { MessagePort as NodePort } from 'node:worker_threads'
import type { Endpoint } from 'comlink'

/** A process at the other end of an IPC channel. */
export type Channel = Pick<ChildProcess, 'on' | 'send'> | NodeJS.Process

/** What crosses: a message for one of the ports, 0 being the endpoint itself, or that a port was closed. */
type Crossing = { readonly port: number; readonly message: unknown } | { readonly closed: number }

/** What stands for a port in a message. */
const PORT = 'webdit:port'

/** One end of a tunnel. */
export interface Tunnel extends Endpoint {
  /** Ports in use, of both sides. */
  readonly open: number
  /** Closes all ports: the other end is gone. */
  close(): void
}

/**
 * An endpoint for comlink between processes. comlink hands callbacks over as message ports, which cannot leave a process:
 * their numbers cross instead, and their messages go through the same channel. Ports are found in plain objects and
 * arrays. Buffers are copied, whether they were to be transferred or not.
 *
 * @param first 1 on one side and 2 on the other, so that both give out different numbers
 */
export function ipcEndpoint(channel: Channel, first: 1 | 2): Tunnel {
  const ports = new Map<number, NodePort>()
  const listeners = new Map<unknown, (event: MessageEvent) => void>()
  let next = first

  // Without a callback, a channel that closes at this moment would be an uncaught error.
  const cross = (crossing: Crossing) => void channel.send?.(crossing, undefined, {}, () => {})

  const post = (port: number, message: unknown) => {
    cross({ port, message: replaced(message, isPort, (found) => ({ [PORT]: entrance(found as NodePort) })) })
  }

  function register(id: number, port: NodePort): void {
    ports.set(id, port)
    port.on('message', (message) => post(id, message))
    port.on('close', () => {
      if (ports.delete(id)) cross({ closed: id })
    })
    port.unref() // the process itself is what keeps the one that waits for it alive
  }

  function entrance(port: NodePort): number {
    const id = next
    next += 2
    register(id, port)
    return id
  }

  function exit(id: number): MessagePort {
    const { port1, port2 } = new MessageChannel()
    register(id, port1 as unknown as NodePort)
    return port2
  }

  channel.on('message', (crossing: Crossing) => {
    if ('closed' in crossing) {
      const port = ports.get(crossing.closed)
      ports.delete(crossing.closed)
      return void port?.close()
    }
    const exits: MessagePort[] = []
    const data = replaced(crossing.message, isNumber, (found) => {
      const port = exit((found as Record<string, number>)[PORT])
      exits.push(port)
      return port
    })
    const port = ports.get(crossing.port)
    if (crossing.port === 0) for (const listener of listeners.values()) listener({ data } as MessageEvent)
    else if (port) port.postMessage(data, exits as unknown as NodePort[])
    else for (const unwanted of exits) unwanted.close()
  })

  return {
    postMessage: (message) => post(0, message),
    addEventListener(_type, listener) {
      listeners.set(listener, (event) => ('handleEvent' in listener ? listener.handleEvent(event) : listener(event)))
    },
    removeEventListener(_type, listener) {
      listeners.delete(listener)
    },
    get open() {
      return ports.size
    },
    close() {
      for (const port of ports.values()) port.close()
      ports.clear()
    },
  }
}

const isPort = (value: object): boolean => value instanceof MessagePort
const isNumber = (value: object): boolean => PORT in value

/** A copy of plain objects and arrays, in which what `wanted` finds is replaced; all else is left as it is. */
function replaced(
  value: unknown,
  wanted: (value: object) => boolean,
  replacement: (found: object) => unknown,
): unknown {
  if (!value || typeof value !== 'object') return value
  if (wanted(value)) return replacement(value)
  if (Array.isArray(value)) return value.map((one) => replaced(one, wanted, replacement))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, replaced(one, wanted, replacement)]))
}
