// deno run -A read_in_deno.ts MODEL FILE: opens a model of the hub, reads a file, prints its SHA-256, and whether it waited.
import { createHash } from 'node:crypto'
import process from 'node:process'
import { openModel } from '../../../../src/pipelines/open_model.ts'

const [model, file] = process.argv.slice(2)
let told: 'waiting' | 'fetching' | undefined
const source = await openModel(model, {
  onFetch({ waiting }) {
    if (!told) console.log((told = waiting ? 'waiting' : 'fetching'))
  },
})
const bytes = new Uint8Array(await source.size(file))
await source.readInto(file, 0, bytes)
await source.close()
console.log(JSON.stringify({ sha256: createHash('sha256').update(bytes).digest('hex'), waited: told === 'waiting' }))
