/** A table in Markdown that grows row by row. */
export class Table {
  readonly #lines: string[]

  constructor(head: readonly string[]) {
    this.#lines = [lineOf(head), lineOf(head.map(() => '---'))]
  }

  get rows(): number {
    return this.#lines.length - 2
  }

  /** Returns the row as it stands in the table. */
  add(cells: readonly (string | number)[]): string {
    const line = lineOf(cells)
    this.#lines.push(line)
    return line
  }

  toString(): string {
    return this.#lines.join('\n')
  }
}

const lineOf = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
