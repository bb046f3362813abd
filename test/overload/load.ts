import { decode } from 'fast-png'

/** What one request came to. */
export interface Answer {
  /** HTTP status; 0 where the connection failed, -1 where this client hung up. */
  readonly status: number
  /** Seconds until it was there. */
  readonly seconds: number
  /** What is wrong with it: an error's text, a picture that is none, a 429 that does not say when to come again. */
  readonly fault: string | undefined
}

/** The smallest picture of the model that is served, in one step: nearly all of the time is the server's own. */
const BODY = {
  prompt: 'a cat',
  size: '32x32',
  num_inference_steps: 1,
  use_resolution_binning: false,
  max_sequence_length: 8,
}

/** Asks for one picture, and looks at what comes. @param patience ms after which this client hangs up */
export async function ask(address: string, patience?: number): Promise<Answer> {
  const began = performance.now()
  const signal = patience === undefined ? undefined : AbortSignal.timeout(patience)
  const answer = (status: number, fault?: string): Answer => ({
    status,
    seconds: (performance.now() - began) / 1000,
    fault,
  })
  try {
    const response = await fetch(`${address}/v1/images/generations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(BODY),
      signal,
    })
    const body = (await response.json()) as { data: [{ b64_json: string }]; error?: { message: string } }
    if (response.status === 200) {
      const { width, height } = decode(Buffer.from(body.data[0].b64_json, 'base64'), { checkCrc: true })
      return answer(200, width === 32 && height === 32 ? undefined : `a picture of ${width} x ${height}`)
    }
    const again = Number(response.headers.get('retry-after'))
    if (response.status === 429) return answer(429, again >= 1 ? undefined : `Retry-After is ${again}`)
    return answer(response.status, body.error?.message ?? 'an error without words')
  } catch (error) {
    if (signal?.aborted) return answer(-1)
    const { cause } = error as { cause?: { code?: string } }
    return answer(0, `${error} ${cause?.code ?? cause ?? ''}`)
  }
}

/** Pictures a second that a server gives to `clients` who each ask again when they have theirs. */
export async function capacity(address: string, seconds: number, clients: number): Promise<number> {
  const end = performance.now() + 1000 * seconds
  let drawn = 0
  const client = async () => {
    while (performance.now() < end) {
      const { status, fault } = await ask(address)
      if (status !== 200) throw new Error(`a server without load answered ${status} ${fault ?? ''}`)
      drawn++
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: clients }, client))
  return (1000 * drawn) / (performance.now() - began)
}

export interface Load {
  /** Requests a second, whatever comes of them. */
  readonly rate: number
  readonly seconds: number
  /** The share of clients that hang up before they have an answer. */
  readonly hangUps: number
  random(): number
}

/** Requests that come at random moments, as many as that: all answers. */
export async function overload(address: string, { rate, seconds, hangUps, random }: Load): Promise<Answer[]> {
  const asked: Promise<Answer>[] = []
  const began = performance.now()
  for (let at = 0; ; ) {
    at += -Math.log(1 - random()) / rate
    if (at > seconds) break
    const early = 1000 * at - (performance.now() - began)
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
    asked.push(ask(address, random() < hangUps ? Math.ceil(500 * random()) : undefined))
  }
  return Promise.all(asked)
}

/** A figure of /metrics. */
export async function figure(address: string, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text()
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1])
}

/** How many answers there are of each status. */
export function counts(answers: readonly Answer[]): Record<string, number> {
  const of: Record<string, number> = {}
  for (const { status } of answers) of[status] = (of[status] ?? 0) + 1
  return of
}
