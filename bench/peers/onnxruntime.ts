import { type Element, OnnxGraph, randomHalves } from './onnx_graph.ts'
import type { Shapes, Times } from './shapes.ts'

/** As much of onnxruntime-node as is used: no dependency of the project, and measured where it is installed. */
interface Ort {
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
  Tensor: new (type: string, data: Uint16Array | Float32Array, shape: readonly number[]) => object
}
interface Session {
  run(feeds: Record<string, object>): Promise<Record<string, { dispose?(): void }>>
  release(): Promise<void>
}

/** Layers of the longer and of the shorter chain: the difference has neither copies to the host nor the start of a run. */
const [LONG, SHORT] = [9, 1]

/** Seconds by onnxruntime's WebGPU provider. @param module its package, which no bundle may look for. @throws where it is not installed */
export async function onnxruntimeTimes(
  { tokens, width, heads }: Shapes,
  element: Element,
  turns: number,
  module: string,
): Promise<Times> {
  const ort: Ort = (await import(module)).default
  const layers = async (layer: (graph: OnnxGraph, x: string) => string): Promise<number> => {
    const [long, short] = [await chain(LONG), await chain(SHORT)]
    return (long - short) / (LONG - SHORT)

    async function chain(count: number): Promise<number> {
      const graph = new OnnxGraph(element)
      let x = 'x'
      for (let i = 0; i < count; i++) x = layer(graph, x)
      const session = await ort.InferenceSession.create(graph.model([1, tokens, width], x), {
        executionProviders: ['webgpu'],
        logSeverityLevel: 3,
      })
      const size = tokens * width
      const data =
        element === 'f16'
          ? new Uint16Array(randomHalves(size, 1).buffer)
          : Float32Array.from({ length: size }, () => 2 * Math.random() - 1)
      const feeds = { x: new ort.Tensor(element === 'f16' ? 'float16' : 'float32', data, [1, tokens, width]) }
      const took: number[] = []
      for (let i = -3; i < turns; i++) {
        const began = performance.now()
        const outputs = await session.run(feeds)
        if (i >= 0) took.push(performance.now() - began)
        for (const output of Object.values(outputs)) output.dispose?.()
      }
      await session.release()
      return took.sort((a, b) => a - b)[took.length >> 1] / 1000
    }
  }
  return {
    // There and back again: two layers of as many operations.
    linear:
      (await layers((graph, x) => linear(graph, linear(graph, x, 'up', width, 4 * width), 'down', 4 * width, width))) /
      2,
    attention: await layers((graph, x) => attend(graph, [x, x, x], heads)),
    block: await layers((graph, x) => block(graph, x, width, heads)),
  }
}

const linear = (graph: OnnxGraph, x: string, name: string, depth: number, out: number): string =>
  graph.node('MatMul', [x, graph.weight(name, [depth, out], depth ** -0.5)])

const attend = (graph: OnnxGraph, qkv: readonly string[], heads: number): string =>
  graph.node('MultiHeadAttention', qkv, { num_heads: heads }, 'com.microsoft')

/** As src/cli/bench/device/block.ts has it, with the modulation as weights: its layer of one row is left out, in this one's favour. */
function block(graph: OnnxGraph, x: string, width: number, heads: number): string {
  const affine = (of: string, name: string, depth: number, out: number) =>
    graph.node('Add', [linear(graph, of, name, depth, out), graph.weight(`${name}.bias`, [out], 0.1)])
  const row = (name: string) => graph.weight(name, [width], 0.1)
  const modulated = (of: string, name: string) =>
    graph.node('LayerNormalization', [of, row(`${name}.scale`), row(`${name}.shift`)], { axis: 2 })
  const gated = (of: string, name: string, residual: string) =>
    graph.node('Add', [graph.node('Mul', [of, row(name)]), residual])
  const a = modulated(x, 'norm1')
  const [q, k, v] = ['q', 'k', 'v'].map((name) => affine(a, name, width, width))
  const attended = attend(graph, [q, k, v], heads)
  const stream = gated(affine(attended, 'out', width, width), 'gate1', x)
  const hidden = graph.node('Gelu', [affine(modulated(stream, 'norm2'), 'up', width, 4 * width)], {
    approximate: 'tanh',
  })
  return gated(affine(hidden, 'down', 4 * width, width), 'gate2', stream)
}
