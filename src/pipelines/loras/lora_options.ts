import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'
import type { SourceFile } from '../../runtime/weights/source.ts'
import { fileName } from '../named_file.ts'

/** A LoRA, and how strong it is. */
export interface LoraOptions {
  /** A .safetensors file: its path (Node, Deno) or address, or a file of a source. */
  readonly file: string | SourceFile
  /** 1 is as it was trained, 0 not at all; negative weights lead away from it. Default 1. */
  readonly weight?: number
}

/** A LoRA of weight 1 by its path or address, or with more said. */
export type LoraInput = string | LoraOptions

/** Those of them that can be told to other threads: by paths and addresses. */
export type PlainLoraInput = string | (LoraOptions & { readonly file: string })
export type PlainLora = CheckedLora & { readonly file: string }

/** A LoRA whose options are checked. */
export type CheckedLora = Required<LoraOptions>

const KINDS = 'Give a .safetensors file, as diffusers, peft and kohya-ss write it.'

/** @throws DitError 'bad-argument' for what is no file or no weight, and for a file that is there twice */
export function checkLoras(given: readonly LoraInput[] = []): CheckedLora[] {
  if (!Array.isArray(given)) throw new DitError('bad-argument', `loras is ${show(given)}, expected a list`, KINDS)
  const checked = given.map(checkLora)
  for (const [i, { file }] of checked.entries()) {
    if (!checked.slice(0, i).some((other) => sameFile(other.file, file))) continue
    throw new DitError('bad-argument', `the LoRA ${show(nameOf(file))} is given twice`, 'Add its weights up.')
  }
  return checked
}

function checkLora(given: LoraInput): CheckedLora {
  const { file, weight = 1 } = typeof given === 'string' ? { file: given } : (given ?? {})
  if (typeof file !== 'string' && typeof file?.path !== 'string') {
    throw new DitError('bad-argument', `a LoRA is ${show(given)}, expected a file`, KINDS)
  }
  if (!/\.safetensors$/i.test(typeof file === 'string' ? fileName(file) : file.path)) {
    throw new DitError('bad-argument', `the LoRA ${show(nameOf(file))} is no .safetensors file`, KINDS)
  }
  return { file, weight: checkWeight(file, weight) }
}

function checkWeight(file: string | SourceFile, weight: unknown): number {
  if (typeof weight === 'number' && Number.isFinite(weight)) return weight
  throw new DitError(
    'bad-argument',
    `the weight of the LoRA ${show(nameOf(file))} is ${show(weight)}, expected a number`,
    '1 is as it was trained, and 0 not at all.',
  )
}

/** For people. */
export const nameOf = (file: string | SourceFile): string =>
  typeof file === 'string' ? file : `${file.source.name}/${file.path}`

export const sameFile = (a: string | SourceFile, b: string | SourceFile): boolean =>
  a === b || (typeof a !== 'string' && typeof b !== 'string' && a.source === b.source && a.path === b.path)

/**
 * FILE or FILE:weight, as a command line has it. Paths and addresses may have colons of their own: a weight is what looks like
 * a number behind the last, or whatever is there behind a .safetensors.
 *
 * @throws DitError 'bad-argument'
 */
export function readLora(text: string): PlainLora {
  const [, file, behind] = /^(.+):([^:/\\]*)$/s.exec(text) ?? []
  const weight = behind?.trim() ? Number(behind) : Number.NaN
  if (file === undefined || !(Number.isFinite(weight) || /\.safetensors$/i.test(file))) {
    return { file: text, weight: checkLora(text).weight }
  }
  checkLora(file)
  return { file, weight: checkWeight(file, Number.isFinite(weight) ? weight : behind) }
}
