import process from 'node:process'
import { megabytes } from '../../allocation.ts'
import type { FetchNews } from './fetch_file.node.ts'

/** Time between two lines about a file, in ms: a log should not be full of them. */
const EVERY = 10_000
/** A file below this is not worth a line, in bytes. */
const SMALL = 2 ** 20

/** Tells on stderr what is fetched, in lines of text: several ranks may write there at once. */
export function progressLines(write: (line: string) => void = writeLine): (news: FetchNews) => void {
  let file = ''
  let began = 0
  let told = 0
  let first = 0
  return (news) => {
    if (news.waiting) return write(`${news.file}: waiting for another process that fetches it`)
    if (news.size < SMALL) return
    const now = performance.now()
    if (news.file !== file) {
      file = news.file
      began = now
      told = now
      first = news.bytes
      const rest = news.bytes > SMALL ? `, ${megabytes(news.bytes)} of them are here` : ''
      return write(`fetching ${file}: ${megabytes(news.size)}${rest}`)
    }
    const done = news.bytes === news.size
    if (!done && now - told < EVERY) return
    told = now
    const speed = megabytes(((news.bytes - first) * 1000) / Math.max(1, now - began))
    const part = done ? 'fetched' : `${megabytes(news.bytes)} of ${megabytes(news.size)}`
    write(`fetching ${file}: ${part}, ${speed}/s`)
  }
}

function writeLine(line: string): void {
  // A status line may stand there.
  process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${line}\n`)
}
