import type { ChildProcess } from 'node:child_process'
import type { Endpoint } from 'comlink'

/** A process at the other end of an IPC channel. */
type Channel = Pick<ChildProcess, 'on' | 'send'> | NodeJS.Process

/** What crosses: a message for one of the ports, 0 being the endpoint itself. */
interface Crossing {
  readonly port: number
  readonly message: unknown
}

/** What stands for a port in a message. */
const PORT = 'webdit:port'

/**
 * An endpoint for comlink between processes. comlink hands callbacks over as message ports, which cannot leave a process:
 * their numbers cross instead, and their messages through the same channel.
 *
 * @param first 1 on one side and 2 on the other, so that both give out different numbers
 */
export function ipcEndpoint(channel: Channel, first: 1 | 2): Endpoint & { close(): void } {
  const ports = new Map<number, MessagePort>()
  const listeners = new Map<unknown, (event: MessageEvent) => void>()
  let next = first

  function tunnel(port: MessagePort): number {
    const id = next
    next += 2
    register(id, port)
    return id
  }

  function register(id: number, port: MessagePort): void {
    ports.set(id, port)
    port.onmessage = ({ data }: MessageEvent) => post(id, data)
    ;(port as unknown as { unref?(): void }).unref?.()
  }

  const post = (port: number, message: unknown) => {
    channel.send?.({ port, message: mapped(message, isPort, (found) => ({ [PORT]: tunnel(found as MessagePort) })) })
  }

  channel.on('message', ({ port, message }: Crossing) => {
    const decoded = mapped(message, isNumber, (found) => {
      const { port1, port2 } = new MessageChannel()
      register((found as Record<string, number>)[PORT], port1)
      return port2
    })
    if (port === 0) for (const listener of listeners.values()) listener({ data: decoded } as MessageEvent)
    else ports.get(port)?.postMessage(decoded, portsIn(decoded))
  })

  return {
    postMessage: (message) => post(0, message),
    addEventListener(_type, listener) {
      listeners.set(listener, (event) => ('handleEvent' in listener ? listener.handleEvent(event) : listener(event)))
    },
    removeEventListener(_type, listener) {
      listeners.delete(listener)
    },
    close() {
      for (const port of ports.values()) port.close()
      ports.clear()
    },
  }
}

const isPort = (value: object): boolean => value instanceof MessagePort
const isNumber = (value: object): boolean => PORT in value

/** A copy of plain objects and arrays, where what `wanted` finds is replaced. */
function mapped(value: unknown, wanted: (value: object) => boolean, replace: (found: object) => unknown): unknown {
  if (!value || typeof value !== 'object') return value
  if (wanted(value)) return replace(value)
  if (Array.isArray(value)) return value.map((one) => mapped(one, wanted, replace))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapped(one, wanted, replace)]))
}

function portsIn(value: unknown): MessagePort[] {
  const found: MessagePort[] = []
  mapped(value, isPort, (port) => found.push(port as MessagePort))
  return found
}
