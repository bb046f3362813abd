import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'

/** The package's name for itself works from the sources and from wherever the build puts this file. */
const require = createRequire(import.meta.url)

export const PACKAGE_FOLDER = dirname(require.resolve('webdit/package.json'))

export const VERSION: string = JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8')).version

/** The model that the repository carries and npm has as a package of its own. */
const EMBEDDED_MODEL = '@webdit/emoji-pixart'

/** The embedded model's folder: in this repository, or a package beside this one; undefined where it is not there. */
export function embeddedModel(): string | undefined {
  const folder = join(PACKAGE_FOLDER, 'models/emoji-pixart')
  if (existsSync(join(folder, 'model_index.json'))) {
    const shorter = relative(process.cwd(), folder)
    return shorter === '' || shorter.startsWith('..') ? folder : shorter
  }
  try {
    return dirname(require.resolve(`${EMBEDDED_MODEL}/model_index.json`))
  } catch {
    return undefined
  }
}
