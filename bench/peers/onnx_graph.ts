import { type Field, message } from './protobuf.ts'

/** ONNX element types. */
export type Element = 'f32' | 'f16'
const ELEMENT = { f32: 1, f16: 10 }
const ATTRIBUTE = { int: 2, string: 3 }
/** Whole numbers and texts. */
type Attributes = Record<string, number | string>

/** Writes an ONNX model by the numbers of onnx.proto. */
export class OnnxGraph {
  readonly #element: Element
  readonly #nodes: Field[] = []
  readonly #weights = new Map<string, Field>()
  #names = 0

  constructor(element: Element) {
    this.#element = element
  }

  /** A node with one output; its name. @param domain of operators that are onnxruntime's own: com.microsoft */
  node(type: string, inputs: readonly string[], attributes: Attributes = {}, domain = ''): string {
    const output = `y${this.#names++}`
    this.#nodes.push([
      1,
      [
        ...inputs.map((name): Field => [1, name]),
        [2, output],
        [4, type],
        ...Object.entries(attributes).map(([name, value]): Field => [5, attribute(name, value)]),
        ...(domain ? [[7, domain] as Field] : []),
      ],
    ])
    return output
  }

  /** A weight with values in -scale…scale; the same one where the name is. */
  weight(name: string, shape: readonly number[], scale: number): string {
    if (!this.#weights.has(name)) {
      const size = shape.reduce((a, b) => a * b, 1)
      const raw = this.#element === 'f16' ? randomHalves(size, scale) : randomFloats(size, scale)
      this.#weights.set(name, [
        5,
        [...shape.map((n): Field => [1, n]), [2, ELEMENT[this.#element]], [8, name], [9, raw]],
      ])
    }
    return name
  }

  /** The model from `x` to the output named. */
  model(input: readonly number[], output: string): Uint8Array {
    const value = (name: string, shape: readonly number[]): Field[] => [
      [1, name],
      [
        2,
        [
          [
            1,
            [
              [1, ELEMENT[this.#element]],
              [2, shape.map((n): Field => [1, [[1, n]]])],
            ],
          ],
        ],
      ],
    ]
    const graph: Field[] = [
      ...this.#nodes,
      [2, 'peer'],
      ...this.#weights.values(),
      [11, value('x', input)],
      [12, value(output, input)],
    ]
    return message([
      [1, 9],
      [7, graph],
      [8, [[2, 20]]],
      [
        8,
        [
          [1, 'com.microsoft'],
          [2, 1],
        ],
      ],
    ])
  }
}

const attribute = (name: string, value: number | string): Field[] =>
  typeof value === 'number'
    ? [
        [1, name],
        [3, value],
        [20, ATTRIBUTE.int],
      ]
    : [
        [1, name],
        [4, value],
        [20, ATTRIBUTE.string],
      ]

const randomFloats = (size: number, scale: number): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: size }, () => scale * (2 * Math.random() - 1)).buffer)

/** f16 bits of values in -scale…scale: signs and fractions at random, exponents such that they are spread evenly enough. */
export function randomHalves(size: number, scale: number): Uint8Array {
  const table = Uint16Array.from({ length: 4096 }, () => halfBits(scale * (2 * Math.random() - 1)))
  return new Uint8Array(Uint16Array.from({ length: size }, () => table[Math.floor(Math.random() * 4096)]).buffer)
}

/** The f16 nearest to a value within ±65504 and not below the smallest normal one, which is rounded to 0. */
function halfBits(value: number): number {
  const size = Math.abs(value)
  if (size < 2 ** -14) return 0
  const exponent = Math.floor(Math.log2(size))
  const fraction = Math.round((size / 2 ** exponent - 1) * 1024)
  return (value < 0 ? 0x8000 : 0) + ((exponent + 15) << 10) + fraction
}
