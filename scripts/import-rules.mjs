// node scripts/import-rules.mjs [folder]
// Checks which way imports run in src/ (CONTRIBUTING.md has the rules in prose). Prints offences as file:line.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Part of src/ → the parts that it may import, besides itself. */
const MAY_IMPORT = {
  wgsl: [],
  runtime: ['wgsl'],
  models: ['runtime'],
  schedulers: ['runtime'],
  parallel: ['runtime'],
  caches: ['runtime'],
  pipelines: ['runtime', 'models', 'schedulers', 'parallel', 'caches'],
  index: ['wgsl', 'runtime', 'models', 'schedulers', 'parallel', 'caches', 'pipelines'],
  // Several machines: what a node does, and what a caller asks of it.
  cluster: ['runtime', 'models', 'pipelines', 'parallel'],
  server: ['wgsl', 'runtime', 'models', 'schedulers', 'parallel', 'caches', 'pipelines', 'index'],
  // `webdit serve` reads the flags, opens the devices and starts the server.
  cli: ['wgsl', 'runtime', 'models', 'schedulers', 'parallel', 'caches', 'pipelines', 'index', 'server', 'cluster'],
}

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))
const src = join(root, 'src')
const offences = []
/** File → the files that it needs when it loads: the graph in which a circle is a fault. */
const loads = new Map()

for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && /\.[mc]?[jt]sx?$/.test(entry.name)) check(join(entry.parentPath, entry.name))
}
for (const circle of circles())
  offences.push(`${name(circle[0])}:1: imports in a circle: ${circle.map(name).join(' → ')}`)

for (const offence of offences.sort()) console.error(offence)
console.log(`import rules: ${loads.size} files, ${offences.length} offences`)
process.exitCode = offences.length > 0 ? 1 : 0

function check(file) {
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const part = partOf(file)
  const report = (node, message) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart())
    offences.push(`${name(file)}:${line + 1}: ${message}`)
  }
  loads.set(file, [])
  if (!(part in MAY_IMPORT))
    report(tree, `src/ has no part '${part}'; its parts are ${Object.keys(MAY_IMPORT).join(', ')}`)
  if (part === 'index') {
    for (const statement of tree.statements) {
      if (!ts.isExportDeclaration(statement) || !statement.moduleSpecifier) report(statement, 're-exports only')
    }
  }
  for (const { node, specifier, onLoad } of importsOf(tree)) {
    if (isBuiltin(specifier)) {
      const allowed = file.endsWith('.node.ts') || part === 'cli' || part === 'server'
      if (!allowed) report(node, `'${specifier}' belongs in *.node.ts, src/cli or src/server`)
    } else if (specifier.startsWith('.')) {
      const target = resolve(dirname(file), specifier)
      if (!existsSync(target)) report(node, `'${specifier}' is no file; relative imports carry their extension`)
      else if (!target.startsWith(`${src}/`)) report(node, `'${specifier}' is outside src/`)
      else {
        const other = partOf(target)
        if (other !== part && !MAY_IMPORT[part]?.includes(other)) report(node, `${part} may not import ${other}`)
        if (onLoad) loads.get(file).push(target)
      }
    }
  }
}

/** Static imports and re-exports, import(), import types, and workers' new URL('./x.ts', import.meta.url). */
function importsOf(tree) {
  const found = []
  const visit = (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const typeOnly = ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly : node.isTypeOnly
      found.push({ node, specifier: node.moduleSpecifier.text, onLoad: !typeOnly })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument && ts.isStringLiteralLike(argument)) found.push({ node, specifier: argument.text, onLoad: false })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ node, specifier: node.argument.literal.text, onLoad: false })
    } else if (ts.isNewExpression(node) && node.expression.getText() === 'URL') {
      const [file, base] = node.arguments ?? []
      const isModule =
        base?.getText() === 'import.meta.url' && ts.isStringLiteralLike(file) && /\.[jt]s$/.test(file.text)
      if (isModule) found.push({ node, specifier: file.text, onLoad: false })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** Each circle once, by a depth-first search. */
function circles() {
  const found = []
  const done = new Set()
  const visit = (file, path) => {
    const at = path.indexOf(file)
    if (at >= 0) found.push([...path.slice(at), file])
    if (at >= 0 || done.has(file)) return
    for (const target of loads.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of loads.keys()) visit(file, [])
  return found
}

/** 'runtime' for src/runtime/x.ts, 'index' for src/index.ts. */
function partOf(file) {
  return relative(src, file).split('/')[0].replace(/\.ts$/, '')
}

function name(file) {
  return relative(root, file)
}
