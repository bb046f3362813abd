// npm run example -- NAME [flags]     runs examples/NAME.ts on the built package, with the embedded model unless --model is given
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { buildIfStale } from './build_if_stale.mjs'

const [name, ...args] = process.argv.slice(2)
const root = fileURLToPath(new URL('..', import.meta.url))
if (!/^\w+$/.test(name ?? '')) {
  console.error('which example? npm run example -- inference --prompt "red apple"')
  process.exit(2)
}
await buildIfStale()
const source = readFileSync(`${root}examples/${name}.ts`, 'utf8')
// Inside the package, so that 'webdit' is the package itself; Node 20 runs no TypeScript.
const program = `${root}out/examples/${name}.mjs`
mkdirSync(`${root}out/examples`, { recursive: true })
const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
writeFileSync(program, ts.transpileModule(source, { compilerOptions: options }).outputText)
process.argv = [process.execPath, program, '--model', `${root}models/emoji-pixart`, ...args]
await import(program)
