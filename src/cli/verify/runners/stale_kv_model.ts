import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { DitError } from '../../../runtime/errors.ts'
import { embeddedModel } from '../../package_info.ts'
import type { Case } from '../case.ts'

/** What cases call the model that the repository carries. */
const EMBEDDED = 'emoji-pixart'

/**
 * The checkpoint's folder: meta.json names it relative to the folder that holds the cases. An absolute path, which nobody
 * takes for the name of a model on the hub.
 *
 * @throws DitError 'corrupt'
 */
export function modelFolder({ name, folder, meta: { model } }: Case): string {
  if (typeof model !== 'string') {
    throw new DitError('corrupt', `${name}: meta.json has model = ${JSON.stringify(model)}, expected a folder`)
  }
  const path = resolve(folder, '..', model)
  // Cases copied away from their model find this one where `webdit generate` does.
  const elsewhere = existsSync(path) || basename(path) !== EMBEDDED ? undefined : embeddedModel()
  return elsewhere ? resolve(elsewhere) : path
}
