/**
 * A value of a file or a caller as JSON text for a message, of about `most` characters. It looks no further into the
 * value than it shows, so that what is damaged can be neither too deep nor too long for it.
 */
export function show(value: unknown, most = 80): string {
  const text = write(value, most)
  return text.length > most ? `${text.slice(0, most)}…` : text
}

/** At least the first `most` characters, or all there are. Every level of nesting leaves less of them. */
function write(value: unknown, most: number): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, most + 1))
  if (typeof value !== 'object' || value === null) return String(value)
  const list = Array.isArray(value)
  let text = list ? '[' : '{'
  for (const key of list ? value.keys() : Object.keys(value)) {
    if (text.length > most) return text
    if (text.length > 1) text += ', '
    if (!list) text += `${write(key, most - text.length)}: `
    text += write((value as Record<string, unknown>)[key as string], Math.max(0, most - text.length))
  }
  return text + (list ? ']' : '}')
}
