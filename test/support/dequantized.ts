import { NETWORKS, type NetworkClass, readJson } from '../../src/models/component.ts'
import { openCheckpoint } from '../../src/runtime/weights/checkpoint.ts'
import { memorySource } from '../../src/runtime/weights/memory_source.ts'
import type { Parameters } from '../../src/runtime/weights/parameters.ts'
import { type HostTensor, writeSafetensors } from '../../src/runtime/weights/safetensors_writer.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import type { WeightFormat } from '../../src/runtime/weights/weight_formats.ts'
import { random } from './numbers.ts'
import { quantized } from './quantized.ts'

// The registry's entries differ in Config only.
const networkOf = (className: NetworkClass) =>
  NETWORKS[className] as unknown as {
    config(json: unknown): unknown
    parameters(config: unknown): Parameters
    stem: string
  }

/** A network of that config.json with fresh random weights, as a checkpoint in memory: scaled so that signals keep their size. */
export function randomNetwork(className: NetworkClass, json: Record<string, unknown>): Source {
  const network = networkOf(className)
  const tensors = [...network.parameters(network.config(json)).all].map(([name, { shape }]) => {
    const inputs = shape.slice(1).reduce((a, b) => a * b, 1)
    const size = shape.reduce((a, b) => a * b, 1)
    const data = random(size, shape.length > 1 ? Math.sqrt(3 / inputs) : 0.3)
    return [name, { dtype: 'F32', shape: [...shape], data }] as [string, HostTensor]
  })
  return sourceOf(json, network.stem, Object.fromEntries(tensors))
}

/** The same network, whose blocks' linear weights are what numbers of that format stand for, as floats. */
export async function dequantizedNetwork(
  source: Source,
  className: NetworkClass,
  format: WeightFormat,
): Promise<Source> {
  const network = networkOf(className)
  const json = await readJson(source, 'config.json')
  const { all } = network.parameters(network.config(json))
  const checkpoint = await openCheckpoint(source, '', network.stem)
  const tensors: Record<string, HostTensor> = {}
  for (const name of checkpoint.names()) {
    const { shape, data } = await checkpoint.read(name)
    const { linear, at } = all.get(name) ?? {}
    const few = linear && typeof at === 'number'
    const floats = data as Float32Array<ArrayBuffer>
    tensors[name] = { dtype: 'F32', shape, data: few ? quantized(floats, format).values : floats }
  }
  return sourceOf(json, network.stem, tensors)
}

const sourceOf = (json: unknown, stem: string, tensors: Record<string, HostTensor>): Source =>
  memorySource(
    new Map([
      ['config.json', new TextEncoder().encode(JSON.stringify(json))],
      [`${stem}.safetensors`, writeSafetensors(tensors)],
    ]),
    'a test',
  )
