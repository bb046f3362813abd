import { DitError } from '../../runtime/errors.ts'
import { show } from '../../runtime/show.ts'
import { floatOf, readFields } from './protobuf.ts'

export interface Piece {
  text: string
  /** Log probability. */
  score: number
  /** Control and unknown pieces never match text; user-defined ones match before all others. */
  kind: 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte'
}

/** What webdit uses of a sentencepiece ModelProto (sentencepiece_model.proto). */
export interface SentencePieceModel {
  pieces: Piece[]
  /** 1 is unigram, 2 BPE, 3 word, 4 char. */
  modelType: number
  unkId: number
  byteFallback: boolean
  /** The compiled character map of the normalizer; empty for none. */
  charsMap: Uint8Array
  addDummyPrefix: boolean
  removeExtraWhitespaces: boolean
}

/** Four times the largest vocabulary that is published. */
const MOST_PIECES = 1_000_000
const KINDS = ['normal', 'unknown', 'control', 'user-defined', 'unused', 'byte'] as const

/** @throws DitError corrupt, naming the file as `what` */
export function parseSentencePieceModel(bytes: Uint8Array, what: string): SentencePieceModel {
  const model: SentencePieceModel = {
    pieces: [],
    modelType: 1,
    unkId: 0,
    byteFallback: false,
    charsMap: new Uint8Array(),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
  }
  for (const { number, value } of readFields(bytes, what)) {
    if (typeof value === 'number') continue
    if (number === 1) model.pieces.push(parsePiece(value, what))
    if (number === 2) readTrainerSpec(value, model, what)
    if (number === 3) readNormalizerSpec(value, model, what)
    if (model.pieces.length > MOST_PIECES) throw corrupt(what, `it has more than ${MOST_PIECES} pieces`)
  }
  if (new Set(model.pieces.map((piece) => piece.text)).size < model.pieces.length) {
    throw corrupt(what, 'a piece is there twice')
  }
  if (model.pieces[model.unkId] === undefined) {
    throw corrupt(what, `the unknown piece is ${model.unkId} of ${model.pieces.length}`)
  }
  return model
}

function parsePiece(bytes: Uint8Array, what: string): Piece {
  const piece: Piece = { text: '', score: 0, kind: 'normal' }
  for (const { number, value } of readFields(bytes, what)) {
    if (number === 1 && typeof value !== 'number') piece.text = decodeText(value, what)
    if (number === 2 && typeof value === 'number') piece.score = floatOf(value)
    if (number === 3 && typeof value === 'number') piece.kind = KINDS[value - 1]
  }
  if (piece.text === '' || !Number.isFinite(piece.score) || piece.kind === undefined) {
    throw corrupt(what, `a piece is empty or has no finite score or no known type (${show(piece.text)})`)
  }
  return piece
}

function readTrainerSpec(bytes: Uint8Array, model: SentencePieceModel, what: string): void {
  for (const { number, value } of readFields(bytes, what)) {
    if (typeof value !== 'number') continue
    if (number === 3) model.modelType = value
    if (number === 35) model.byteFallback = value !== 0
    if (number === 40) model.unkId = value
  }
}

function readNormalizerSpec(bytes: Uint8Array, model: SentencePieceModel, what: string): void {
  for (const { number, value } of readFields(bytes, what)) {
    if (number === 2 && typeof value !== 'number') model.charsMap = value
    if (number === 3) model.addDummyPrefix = value !== 0
    if (number === 4) model.removeExtraWhitespaces = value !== 0
  }
}

function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw corrupt(what, 'a piece is not UTF-8 text', cause)
  }
}

function corrupt(what: string, why: string, cause?: unknown): DitError {
  return new DitError('corrupt', `${what} is damaged: ${why}`, 'Fetch the file again.', { cause })
}
