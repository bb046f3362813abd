import type { Device } from '../../../runtime/device.ts'
import type { Recorder } from '../../../runtime/recorder.ts'
import type { Tensor } from '../../../runtime/tensor.ts'

export interface Stopwatch {
  readonly device: Device
  readonly g: Recorder
  /** Batches whose median counts. */
  readonly turns: number
  readonly signal: AbortSignal
}

/** A batch takes about so long, ms: a device gets to its full clock, and its end is told of late by less than 1 %. */
const BATCH = { gpu: 60, software: 1 }
/** A GPU at rest runs at half of its clock: so many batches go before. */
const BEFORE = 5

/**
 * Seconds that the device takes for what `record` records, in the median. Batches follow each other without a gap, each
 * recorded while the device computes the one before: what the host takes for it does not count, as in a picture's steps.
 *
 * @param record all that it records is released behind it
 */
export async function secondsOf({ device, g, turns, signal }: Stopwatch, record: () => unknown): Promise<number> {
  const submit = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await g.scope(async () => void (await record()))
    await g.flush()
  }
  await submit(1) // compiles
  await device.finished()
  const began = performance.now()
  await submit(1)
  await device.finished()
  const once = performance.now() - began
  const batch = Math.max(1, Math.ceil(BATCH[device.target.software ? 'software' : 'gpu'] / once))

  const before = device.target.software ? 1 : BEFORE
  const took: number[] = []
  await submit(batch)
  let [running, ended] = [device.finished(), performance.now()]
  for (let i = 1; i < before + turns; i++) {
    signal.throwIfAborted()
    await submit(batch)
    const next = device.finished()
    await running
    const now = performance.now()
    took.push((now - ended) / batch)
    ;[running, ended] = [next, now]
  }
  await running
  took.push((performance.now() - ended) / batch)
  device.throwIfFailed()
  return median(took.slice(before)) / 1000
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** A tensor of that use with values in -1…1, kept until the recorder is reset. */
export function randomOperand(g: Recorder, shape: readonly number[], scale = 1): Tensor {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * (2 * Math.random() - 1))
  return g.upload(values, shape)
}
