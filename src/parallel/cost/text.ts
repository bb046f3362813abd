import { sizeOf } from '../mesh/mesh.ts'
import type { Part } from './part.ts'
import { type Bytes, bytesOf, type EncodedText, total, type Workload } from './workload.ts'

/**
 * The first rank of a crew encodes every different text of its pictures once, padded to the longest or to a given length, and tells
 * what became of them to all others.
 */
export function textBytes({ mesh, config, dealt }: Part, { text, elementBytes: { stream } }: Workload): Bytes {
  const crew = sizeOf(mesh.degrees) / mesh.degree('data')
  if (!text || config.shardT5Encoder || mesh.rank % crew !== 0) return {}
  const said = text.pictures.slice(dealt.first, dealt.end)
  const prompts = different(said.map(({ prompt }) => prompt))
  const negatives = different(said.map(({ negative }) => negative).filter((one) => one !== undefined))
  const texts = [...prompts, ...negatives]
  const longest = Math.max(1, ...texts.map(({ tokens }) => tokens))
  const told = text.states.map(({ width, tokens = longest }) => bytesOf(texts.length * tokens * width, stream))
  return { text: (crew - 1) * total(told) }
}

const different = (texts: readonly EncodedText[]): EncodedText[] => [
  ...new Map(texts.map((one) => [one.text, one])).values(),
]
