import { DitError } from '../errors.ts'
import { show } from '../show.ts'
import type { Checkpoint } from './checkpoint.ts'
import { toHost } from './dtypes.ts'
import type { TensorEntry } from './safetensors.ts'

/** Rows of a stored tensor: those from part `first` to part `end` of so many equal ones. */
export interface StoredRows {
  readonly stored: string
  readonly first: number
  readonly end: number
  readonly of: number
}

/** Consecutive bytes of a stored tensor. */
interface Piece {
  readonly stored: string
  readonly begin: number
  readonly bytes: number
}

/**
 * A checkpoint whose tensors consist of rows of another's, one after the other. Nothing is read for it: a tensor's bytes
 * are found where they are stored when they are asked for.
 */
export function assembledCheckpoint(
  checkpoint: Checkpoint,
  tensors: ReadonlyMap<string, readonly StoredRows[]>,
): Checkpoint {
  function rowsOf(name: string): readonly StoredRows[] {
    const rows = tensors.get(name)
    if (rows) return rows
    throw new DitError(
      'not-found',
      `the weights in ${checkpoint.where} have no tensor ${show(name)}`,
      'Check that config.json and the weights are of the same model.',
    )
  }

  function pieceOf({ stored, first, end, of }: StoredRows): Piece & { rows: number; tensor: TensorEntry } {
    const { tensor } = checkpoint.entry(stored)
    const [rows = 1] = tensor.shape
    if (rows % of !== 0) {
      throw new DitError(
        'corrupt',
        `tensor ${show(stored)} of ${checkpoint.where} has ${rows} rows, expected a multiple of ${of}: it is that many things in one`,
        'Check that config.json and the weights are of the same model.',
      )
    }
    const bytes = tensor.bytes / of
    return { stored, begin: first * bytes, bytes: (end - first) * bytes, rows: ((end - first) * rows) / of, tensor }
  }

  function entry(name: string): { path: string; tensor: TensorEntry } {
    const pieces = rowsOf(name).map(pieceOf)
    const { stored, begin, tensor } = pieces[0]
    const sum = (of: 'rows' | 'bytes') => pieces.reduce((total, piece) => total + piece[of], 0)
    const shape = tensor.shape.length === 0 ? [] : tensor.shape.with(0, sum('rows'))
    return {
      path: checkpoint.entry(stored).path,
      tensor: { ...tensor, name, shape, begin: tensor.begin + begin, bytes: sum('bytes') },
    }
  }

  async function readInto(name: string, offset: number, target: Uint8Array): Promise<void> {
    let at = 0
    for (const { stored, begin, bytes } of rowsOf(name).map(pieceOf)) {
      const from = Math.max(offset, at)
      const to = Math.min(offset + target.byteLength, at + bytes)
      if (from < to) await checkpoint.readInto(stored, begin + from - at, target.subarray(from - offset, to - offset))
      at += bytes
    }
  }

  return {
    source: checkpoint.source,
    where: checkpoint.where,
    names: () => [...tensors.keys()].sort(),
    has: (name) => tensors.has(name),
    entry,
    readInto,
    async read(name) {
      const { tensor } = entry(name)
      const bytes = new Uint8Array(tensor.bytes)
      await readInto(name, 0, bytes)
      return { shape: tensor.shape, data: toHost(bytes, tensor.dtype) }
    },
  }
}
