import type { Random } from '../random.ts'
import { mutateBytes } from './bytes.ts'
import { changed, type Mutation, unchanged } from './mutation.ts'

/** JSON text for a value that JSON.stringify cannot write. */
class Raw {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Json = Raw | null | boolean | number | string | Json[] | { [key: string]: Json }

/** Values of the wrong type, out of range, or shaped to trip up code that prints or compares them. */
const ODD: readonly Json[] = [
  null,
  true,
  false,
  -1,
  0,
  1,
  2,
  3,
  0.5,
  1e-300,
  1e300,
  2 ** 31,
  2 ** 53,
  new Raw('1e999'),
  new Raw('NaN'),
  new Raw('-Infinity'),
  new Raw('99999999999999999999'),
  new Raw('[1e999]'),
  new Raw(`${'['.repeat(200)}${']'.repeat(200)}`),
  new Raw(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
  new Raw('{"toString": 1, "valueOf": 1}'),
  new Raw('{"__proto__": {"type": "x"}}'),
  new Raw('[{"toString": null}]'),
  '',
  'x',
  'constructor',
  '../../etc/passwd',
  'NaN',
  '<unk>',
  '\ud83d\ude00',
  'long '.repeat(4000),
  [],
  [[]],
  {},
  [null],
  [1, 2],
  [-1, 0.5, 'x'],
]
const KEYS = ['', '__proto__', 'constructor', 'toString', 'length', 'weight', 'id']

/** A change to JSON text that knows its structure, or one that does not. */
export function mutateJson(r: Random, bytes: Uint8Array): Mutation {
  if (r.chance(0.25)) return mutateBytes(r, bytes)
  const text = new TextDecoder().decode(bytes)
  const root = parse(text)
  const encode = (value: Json, indent = 0) => new TextEncoder().encode(write(value, indent))
  if (!isObject(root)) return mutateBytes(r, bytes)
  switch (r.below(10)) {
    case 0:
      return unchanged(encode(root, 1 + r.below(8)), 'white space')
    case 1:
      return unchanged(encode(Object.fromEntries(r.shuffled(Object.entries(root)))), 'keys in another order')
    case 2: {
      const key = `x_option_${r.below(1000)}`
      return unchanged(encode({ ...root, [key]: r.pick(ODD) }), `an unknown key ${key}`)
    }
    case 3: {
      // JSON keeps the last of two equal keys.
      const [key, value] = r.pick(Object.entries(root)) ?? ['x', 1]
      const odd = `{${JSON.stringify(key)}:${write(r.pick(ODD))},${write({ ...root, [key]: value }).slice(1)}`
      return unchanged(new TextEncoder().encode(odd), `${key} twice, the odd one first`)
    }
    case 4:
      return changed(encode(r.pick(ODD)), 'another value as the whole file')
    default:
      return mutateTree(r, root, encode)
  }
}

function mutateTree(r: Random, root: Json, encode: (value: Json) => Uint8Array): Mutation {
  const copy = structuredClone(root) as Json
  const edits: string[] = []
  const count = r.chance(0.7) ? 1 : 2 + r.below(3)
  for (let i = 0; i < count; i++) edits.push(editSomewhere(r, copy))
  return changed(encode(copy), edits.join('; '))
}

/** Goes down from the root, and edits an entry where it stops. */
function editSomewhere(r: Random, root: Json): string {
  let parent = root as Json[] | { [key: string]: Json }
  const path: string[] = []
  for (;;) {
    const keys = Object.keys(parent)
    if (keys.length === 0) return 'nothing to edit'
    const key = r.pick(keys)
    path.push(key)
    const value = (parent as { [key: string]: Json })[key]
    if (isContainer(value) && Object.keys(value).length > 0 && r.chance(0.8)) {
      parent = value as typeof parent
      continue
    }
    return `${path.join('.')}: ${edit(r, parent, key)}`
  }
}

function edit(r: Random, parent: Json[] | { [key: string]: Json }, key: string): string {
  const at = parent as { [key: string]: Json }
  const value = at[key]
  if (typeof value === 'number' && r.chance(0.5)) {
    at[key] = r.pick([value + 1, value - 1, value * 2, value / 2, -value, value * 1000, value + 0.5])
    return `${value} is now ${at[key]}`
  }
  if (typeof value === 'string' && value.length > 0 && r.chance(0.4)) {
    const cut = r.below(value.length)
    at[key] = r.pick([value.slice(0, cut), value + value, `${value.slice(0, cut)}x${value.slice(cut + 1)}`])
    return 'another text'
  }
  if (Array.isArray(parent) && r.chance(0.4)) {
    const index = Number(key)
    if (r.chance(0.5)) parent.splice(index, 1)
    else parent.splice(index, 0, structuredClone(r.pick(parent)))
    return 'an entry fewer or more'
  }
  switch (r.below(6)) {
    case 0:
      if (Array.isArray(parent)) break
      delete parent[key]
      return 'gone'
    case 1: {
      if (Array.isArray(parent)) break
      const name = r.pick([...KEYS, `${key}x`])
      delete parent[key]
      Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true })
      return `renamed to ${JSON.stringify(name)}`
    }
    case 2: {
      const other = r.pick(Object.keys(parent))
      ;[at[key], at[other]] = [at[other], at[key]]
      return `swapped with ${other}`
    }
    case 3:
      at[key] = r.chance(0.5) ? [value] : { value }
      return 'wrapped'
  }
  at[key] = structuredCloneOrRaw(r.pick(ODD))
  return 'an odd value'
}

const structuredCloneOrRaw = (value: Json): Json => (value instanceof Raw ? value : structuredClone(value))
const isContainer = (value: Json): value is Json[] | { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !(value instanceof Raw)
const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  value !== undefined && isContainer(value) && !Array.isArray(value)

/** Python's literals become markers that are written as they were. */
function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text.replace(/([:,[]\s*)(-?Infinity|NaN)\b/g, '$1null'))
  } catch {
    return undefined
  }
}

function write(value: Json, indent = 0): string {
  const raw: string[] = []
  const text = JSON.stringify(value, (_, v) => (v instanceof Raw ? `@raw${raw.push(v.text) - 1}@` : v), indent)
  return text.replace(/"@raw(\d+)@"/g, (_, i) => raw[Number(i)])
}
