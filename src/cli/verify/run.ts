import type { Component, NetworkClass } from '../../models/component.ts'
import { loadComponent, readJson } from '../../models/component.ts'
import type { Device } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Source } from '../../runtime/weights/source.ts'
import { type Case, isRecord, type RunMeta, toleranceOf } from './case.ts'
import { type CompareOptions, compare, EXACT, type Output, shortName, type Tolerance } from './compare.ts'
import { halfTolerance } from './float16.ts'
import { GoldenIo, type HostArray } from './golden_io.ts'
import { Unsupported } from './unsupported.ts'

/** The case's files and the device, shared by the runs of a case. */
export interface Surroundings {
  /** The case's folder. */
  readonly source: Source
  /** Opens the device with the first call. */
  device(): Promise<Device>
}

/** One run of a case: its inputs, the means to compute, and the comparisons made so far. */
export class Run {
  readonly case: Case
  readonly name: string
  readonly source: Source
  readonly outputs: Output[] = []
  readonly #open: () => Promise<Device>
  #half = false
  #io: Promise<GoldenIo> | undefined

  constructor(c: Case, name: string, { source, device }: Surroundings) {
    this.case = c
    this.name = name
    this.source = source
    this.#open = device
  }

  async device(): Promise<Device> {
    const device = await this.#open()
    this.#half = device.tier !== 'f32'
    return device
  }

  /** The device, for a network. @throws Unsupported where nobody measured what its tier may lose on this case */
  async networkDevice(): Promise<Device> {
    const device = await this.device()
    if (!this.#half || this.case.float16?.[this.name]) return device
    throw new Unsupported(`what float16 costs diffusers here was not measured, so tier ${device.tier} has no tolerance`)
  }

  /** What meta.json says of this run; of the first one for the parts of a case that lists none of its own. */
  get meta(): RunMeta {
    const { runs } = this.case.meta
    return runs[this.name] ?? runs.main ?? {}
  }

  io(): Promise<GoldenIo> {
    const { io } = this.meta
    if (typeof io !== 'string') throw new DitError('corrupt', `${this.case.name}: run ${this.name} names no io file`)
    this.#io ??= GoldenIo.open(this.source, io)
    return this.#io
  }

  /** What the case's file of tables has under the run's name. */
  async table(): Promise<unknown> {
    return (await readJson(this.source, String(this.meta.tables)))[this.name]
  }

  /** Outputs in the file that no runner compared: an oversight that must not pass for success. */
  async uncompared(): Promise<string[]> {
    return (await this.#io)?.unread('output.') ?? []
  }

  /** An argument of the call by its path, e.g. 'added_cond_kwargs.resolution'; undefined where it was not given. */
  argument(path: string): unknown {
    let at: unknown = (this.meta.call as { args?: unknown } | undefined)?.args
    for (const key of path.split('.')) {
      at = isRecord(at) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined
    }
    if (!isRecord(at)) return undefined
    return 'tensor' in at ? at.tensor : at.value
  }

  /** A tensor argument. */
  async tensor(path: string): Promise<HostArray> {
    const name = this.argument(path)
    if (typeof name !== 'string') throw new DitError('corrupt', `${this.case.name}: the call has no tensor ${path}`)
    return (await this.io()).tensor(name)
  }

  /** A tensor argument in float32. */
  async floats(path: string): Promise<{ readonly shape: readonly number[]; readonly data: Float32Array }> {
    const { shape, data } = await this.tensor(path)
    return { shape, data: Float32Array.from(data) }
  }

  /** Computes on the device; nothing of it stays there. */
  async compute<T>(body: (g: Recorder) => Promise<T>): Promise<T> {
    const g = new Recorder(await this.device())
    try {
      return await body(g)
    } finally {
      g.reset()
      g.device.arena.trim()
    }
  }

  /** Computes one tensor on the device. */
  computeTensor(body: (g: Recorder) => Promise<Tensor>): Promise<HostArray> {
    return this.compute(async (g) => {
      const tensor = await g.scope(() => body(g))
      return { shape: tensor.shape, data: await g.read(tensor) }
    })
  }

  /** Runs `use` with a network of the case's folder, and frees it. */
  async withNetwork<C extends NetworkClass, T>(className: C, use: (network: Component<C>) => Promise<T>): Promise<T> {
    const network = await loadComponent(await this.networkDevice(), className, this.source, '')
    try {
      return await use(network)
    } finally {
      network.weights.free()
    }
  }

  /** Compares with a tensor of the io file; `kind` picks the tolerance where meta.json has several. */
  async compare(name: string, actual: HostArray, options: CompareOptions & { kind?: string } = {}): Promise<void> {
    const expected = await (await this.io()).tensor(name)
    this.check(shortName(name), actual, expected, toleranceOf(this.case, options.kind), options)
  }

  /** Compares values that must be equal with a tensor of the io file. */
  async compareExactly(name: string, data: ArrayLike<number>): Promise<void> {
    const expected = await (await this.io()).tensor(name)
    this.check(shortName(name), { shape: expected.shape, data }, expected, EXACT)
  }

  check(name: string, actual: HostArray, expected: HostArray, tolerance: Tolerance, options?: CompareOptions): void {
    const measured = this.case.float16?.[this.name]?.[name]
    this.outputs.push(
      compare(name, actual, expected, this.#half ? halfTolerance(tolerance, measured) : tolerance, options),
    )
  }
}

/** A runner computes the runs of a kind of case. */
export interface Runner {
  /** The case's runs; by default those that meta.json lists. */
  runs?(c: Case, source: Source): Promise<string[]>
  /** Computes and compares. @throws Unsupported for what webdit does not have yet */
  run(run: Run): Promise<void>
}
