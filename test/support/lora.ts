import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CaseMeta } from '../../src/cli/verify/case.ts'
import type { HostArray } from '../../src/cli/verify/golden_io.ts'
import { Run } from '../../src/cli/verify/run.ts'
import { runnerOf } from '../../src/cli/verify/runners/index.ts'
import {
  type Component,
  type ComponentOptions,
  type ConfigOf,
  type NetworkClass,
  prepareComponent,
} from '../../src/models/component.ts'
import { fitLora } from '../../src/models/lora/fit.ts'
import { openLoraFile } from '../../src/models/lora/lora_file.ts'
import { mixed, type WeightedLora } from '../../src/models/lora/mixed.ts'
import type { Device } from '../../src/runtime/device.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import type { Source } from '../../src/runtime/weights/source.ts'
import { testDevice } from './device.ts'
import { GOLDEN, loadGoldenJson } from './golden_io.ts'

/** Adapters, and what diffusers and peft give with them: see its README. */
export const LORAS = fileURLToPath(new URL('../fixtures/lora/', import.meta.url))

/** An adapter of the fixtures, 'flux/peft', and its weight. */
export type Adapter = readonly [name: string, weight: number]

export interface AdaptedOptions<C extends NetworkClass> extends ComponentOptions<ConfigOf<C>> {
  /** Where its class has it in a pipeline. */
  folder?: string
  device?: Device
}

/** A network of a golden case with adapters. */
export async function adaptedComponent<C extends NetworkClass>(
  className: C,
  golden: string,
  adapters: readonly Adapter[],
  { folder = 'transformer', device, ...options }: AdaptedOptions<C> = {},
): Promise<Component<C>> {
  const sources: Source[] = [await openFolder(join(GOLDEN, golden)), await openFolder(LORAS)]
  try {
    const part = await prepareComponent(device ?? (await testDevice()), className, sources[0], '', options)
    const loras: WeightedLora[] = []
    for (const [name, weight] of adapters) {
      const file = await openLoraFile({ source: sources[1], path: `${name}.safetensors` })
      loras.push({ fitted: fitLora(file, { [folder]: part }, 'test').get(folder)!, weight })
    }
    part.additions.current = mixed(loras)
    await part.load({ chunkBytes: 30_000 })
    return part
  } finally {
    for (const source of sources) await source.close()
  }
}

/** The first output of a golden case's call, by its network with adapters. */
export async function adaptedOutput(golden: string, adapters: readonly Adapter[], folder?: string): Promise<HostArray> {
  const outputs: HostArray[] = []
  class AdaptedRun extends Run {
    override async withNetwork<C extends NetworkClass, T>(
      className: C,
      use: (network: Component<C>) => Promise<T>,
    ): Promise<T> {
      const network = await adaptedComponent(className, golden, adapters, { folder })
      try {
        return await use(network)
      } finally {
        network.weights.free()
      }
    }
    override async compare(_name: string, actual: HostArray): Promise<void> {
      outputs.push(actual)
    }
  }
  const source = await openFolder(join(GOLDEN, golden))
  const meta: CaseMeta = loadGoldenJson(golden)
  const golden_ = { name: golden, folder: join(GOLDEN, golden), meta }
  try {
    await runnerOf(golden_).run(new AdaptedRun(golden_, 'main', { source, device: testDevice }))
    return outputs[0]
  } finally {
    await source.close()
  }
}

/** The leading part of a tensor of this shape. */
export function leading({ shape, data }: HostArray, wanted: readonly number[]): Float32Array {
  const out: number[] = []
  const visit = (dimension: number, at: number) => {
    if (dimension === shape.length) return void out.push(data[at])
    const stride = shape.slice(dimension + 1).reduce((a, b) => a * b, 1)
    for (let i = 0; i < wanted[dimension]; i++) visit(dimension + 1, at + i * stride)
  }
  visit(0, 0)
  return Float32Array.from(out)
}
