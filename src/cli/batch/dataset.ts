import { readFile } from 'node:fs/promises'
import { CsvError, parse } from 'csv-parse/sync'
import { DitError } from '../../runtime/errors.ts'

/** Columns that say how a row's picture is drawn, and what they hold. */
export const COLUMNS = {
  prompt: 'text',
  negative_prompt: 'text',
  prompt_2: 'text',
  prompt_3: 'text',
  seed: 'integer',
  height: 'integer',
  width: 'integer',
  num_inference_steps: 'integer',
  guidance_scale: 'number',
} as const

type Column = keyof typeof COLUMNS
type ValueOf<C extends Column> = (typeof COLUMNS)[C] extends 'text' ? string : number

/** A row of the table; what it leaves empty is undefined. */
export type Row = { readonly [C in Exclude<Column, 'prompt'>]?: ValueOf<C> } & {
  readonly prompt: string
  /** Counted from 1, without the head. */
  readonly number: number
  /** Of the file, where the row ends. */
  readonly line: number
}

export interface Dataset {
  readonly rows: readonly Row[]
  /** Columns that mean nothing here. */
  readonly ignored: readonly string[]
}

/**
 * A table of prompts: CSV in UTF-8 with a head, as Python's csv.DictReader takes it (xDiT's load_dataset_prompts).
 * @throws DitError 'not-found', 'corrupt' naming the line
 */
export async function readDataset(file: string): Promise<Dataset> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? `there is no file ${file}` : `cannot read ${file} (${cause.code})`
    throw new DitError('not-found', what, 'Check the path of the table.', { cause })
  })
  const records = parseCsv(file, bytes)
  const [head, ...body] = records
  const names = head?.record ?? []
  if (!names.includes('prompt')) {
    const has =
      names.length > 0 ? `its columns are ${names.map((name) => JSON.stringify(name)).join(', ')}` : 'it is empty'
    throw new DitError('corrupt', `${file} has no column prompt: ${has}`, 'The first line names the columns.')
  }
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new DitError('corrupt', `${file} has two columns ${JSON.stringify(twice)}`)
  const rows = body.map(({ record, info: { lines } }, i) => {
    const cells = Object.fromEntries(names.map((name, k) => [name, record[k]]))
    return { ...readRow(`${file}, line ${lines}`, cells), number: i + 1, line: lines }
  })
  if (rows.length === 0) throw new DitError('corrupt', `${file} has a head and no rows`, 'Write a prompt a line.')
  return { rows, ignored: names.filter((name) => !Object.hasOwn(COLUMNS, name)) }
}

interface Parsed {
  readonly record: string[]
  readonly info: { readonly lines: number }
}

function parseCsv(file: string, bytes: Uint8Array): Parsed[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return parse(text, { bom: true, skip_empty_lines: true, info: true }) as unknown as Parsed[]
  } catch (cause) {
    if (cause instanceof CsvError) throw new DitError('corrupt', `${file}: ${cause.message}`, QUOTES, { cause })
    throw new DitError('corrupt', `${file} is not UTF-8`, 'Save the table as CSV in UTF-8.', { cause })
  }
}

const QUOTES =
  'A text with commas or quotes stands in quotes, and a quote in it is written twice: "a ""red"" apple, cut".'

function readRow(where: string, cells: Record<string, string>): Omit<Row, 'number' | 'line'> {
  const row: Record<string, string | number> = {}
  for (const [name, type] of Object.entries(COLUMNS)) {
    const cell = cells[name]
    if (cell === undefined || cell.trim() === '') continue
    const value = type === 'text' ? cell : Number(cell)
    if (typeof value === 'number' && !(type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value))) {
      const expected = type === 'integer' ? 'a whole number' : 'a number'
      throw new DitError('corrupt', `${where}: ${name} is ${JSON.stringify(cell)}, expected ${expected}`)
    }
    row[name] = value
  }
  if (row.prompt === undefined)
    throw new DitError('corrupt', `${where} has no prompt`, 'Write one, or take the line out.')
  return row as unknown as Row
}
