// npm start -- …          webdit generate --model models/emoji-pixart …
// npm run webdit -- …     webdit …
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build_if_stale.mjs'

const args = process.argv.slice(2)
const model = fileURLToPath(new URL('../models/emoji-pixart', import.meta.url))
const command = args[0] === '--raw' ? args.slice(1) : ['generate', '--model', model, ...args]

await buildIfStale()
// In this process, so that signals and the exit code are the command's own.
const cli = new URL('../dist/cli.js', import.meta.url)
process.argv = [process.execPath, fileURLToPath(cli), ...command]
await import(cli.href)
