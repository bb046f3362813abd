import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/**
 * Bundles programs that are no part of the package with the sources that they use, outside dist/, and goes to the
 * repository's root, where they run.
 *
 * @param name of the folder
 * @param input program → its source
 * @returns program → the path of its bundle
 */
export async function bundle(name, input) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  // Under node_modules, so that the packages left out of the bundle resolve.
  const outDir = fileURLToPath(new URL(`../node_modules/.cache/webdit-${name}`, import.meta.url))
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    build: { ssr: true, target: 'node20', outDir, emptyOutDir: true, rolldownOptions: { input } },
  })
  process.chdir(root)
  return Object.fromEntries(Object.keys(input).map((program) => [program, `${outDir}/${program}.js`]))
}

/** Runs a bundled program in this process, as if it had been started with these arguments. */
export async function run(program, args = process.argv.slice(2)) {
  process.argv = [process.execPath, program, ...args]
  await import(program)
}
