import { NETWORKS, type NetworkClass, readJson } from '../../../models/component.ts'
import { DitError } from '../../../runtime/errors.ts'
import { shapeText } from '../../../runtime/tensor.ts'
import type { Parameters } from '../../../runtime/weights/parameters.ts'
import { isRecord } from '../case.ts'
import { EXACT } from '../compare.ts'
import type { Run, Runner } from '../run.ts'
import { notBuilt } from '../unsupported.ts'

type Shapes = ReadonlyMap<string, readonly number[]>

/** Names and shapes of the parameters of full-size models, against those that webdit asks a checkpoint for. */
export const manifestsRunner: Runner = {
  async runs(_, source) {
    const files = (await source.list?.('')) ?? []
    return files
      .filter((file) => file.endsWith('.json') && file !== 'meta.json')
      .map((file) => file.slice(0, -'.json'.length))
  },

  async run(run) {
    const manifest = await readJson(run.source, `${run.name}.json`)
    const className = String(manifest.class)
    if (!Object.hasOwn(NETWORKS, className)) throw notBuilt(className)
    if (!isRecord(manifest.parameters)) throw new DitError('corrupt', `${run.name}.json lists no parameters`)
    const parametersOf = Object.entries(manifest.parameters as Record<string, number[]>)
    const buffers = new Map(Object.entries((manifest.buffers_in_checkpoint ?? {}) as Record<string, number[]>))
    const stored = new Map([...parametersOf, ...buffers])
    const { config, parameters, ignore = [] } = NETWORKS[className as NetworkClass] as AnyNetwork
    const asked = new Map([...parameters(config(manifest.config)).all].map(([name, { shape }]) => [name, shape]))
    const ignored = (name: string) => ignore.some((pattern) => pattern.test(name))

    const unasked = [...stored.keys()].filter((name) => !asked.has(name))
    const left = unasked.filter((name) => !buffers.has(name))
    const missing = [...asked.keys()].filter((name) => !stored.has(name))
    const unexpected = unasked.filter((name) => !ignored(name))
    const wrong = [...asked].filter(([name, shape]) => stored.has(name) && differs(shape, stored.get(name)!))
    count(run, 'missing names', missing)
    count(
      run,
      'unexpected names',
      unexpected,
      left.length > 0 ? `without ${left.length} of ${partsOf(left)}` : undefined,
    )
    count(
      run,
      'wrong shapes',
      wrong.map(([name, shape]) => `${name} ${shapeText(shape)}`),
    )
    // Without buffers, and with what is left out, by the manifest's own shapes.
    const total =
      sizeOf(new Map([...asked].filter(([name]) => !buffers.has(name)))) +
      sizeOf(new Map(left.map((name) => [name, stored.get(name)!])))
    run.check('total', scalar(total), scalar(Number(manifest.total_parameters)), EXACT)
  },
}

interface AnyNetwork {
  readonly config: (json: unknown) => unknown
  readonly parameters: (config: unknown) => Parameters
  readonly ignore?: readonly RegExp[]
}

/** Reports how many faults of a kind there are, and the first of them. */
function count(run: Run, what: string, faults: readonly string[], note?: string): void {
  const first = faults[0] === undefined ? note : `the first is ${faults[0]}`
  run.check(what, scalar(faults.length), scalar(0), EXACT, { note: first })
}

const scalar = (value: number) => ({ shape: [], data: [value] })
const differs = (a: readonly number[], b: readonly number[]): boolean => shapeText(a) !== shapeText(b)
const partsOf = (names: readonly string[]): string => [...new Set(names.map((name) => name.split('.')[0]))].join(', ')

function sizeOf(shapes: Shapes): number {
  let sum = 0
  for (const shape of shapes.values()) sum += shape.reduce((a, b) => a * b, 1)
  return sum
}
