import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A folder with the package in node_modules, as npm packs and unpacks it, and with its runtime dependencies. */
export interface PackedApp {
  readonly folder: string
  /** The package's own folder. */
  readonly installed: string
  remove(): void
}

/** Needs dist/: `npm test` builds it. @param tools development dependencies of this repository that the app has too */
export function packedApp(tools: readonly string[] = []): PackedApp {
  const folder = mkdtempSync(join(tmpdir(), 'webdit-app-'))
  const installed = join(folder, 'node_modules/webdit')
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: ROOT })
  const archive = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!)
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1'])
  rmSync(archive)
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const name of [...Object.keys(dependencies), ...tools]) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), link)
  }
  return { folder, installed, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
