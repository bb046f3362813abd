import { readdirSync, readFileSync } from 'node:fs'

/** Names in a folder, in order; none where it is not there. */
export function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

/** A file's text, with no byte refused; empty where it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
