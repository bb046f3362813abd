import { type Dirent, promises as fs } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { DitError } from '../../runtime/errors.ts'
import { parseJson } from '../../runtime/json.ts'
import { type Case, type CaseMeta, isRecord } from './case.ts'
import { readHalfErrors } from './float16.ts'

/** The builder that stands for a trained model's NAME.json and NAME.safetensors. */
export const TRAINED = 'trained_model'

/** A case, or the file that should describe one and why it does not. */
export type Found = Case | { readonly name: string; readonly fault: DitError }

/**
 * The cases of a folder: the folder itself, or those right inside it.
 *
 * @param model the checkpoint of a trained model's cases, instead of the folder above theirs
 * @throws DitError 'not-found' where there is no folder or no case
 */
export async function findCases(dir: string, model?: string): Promise<Found[]> {
  const own = await casesIn(dir, model)
  if (own.length > 0) return own
  const folders = (await entries(dir)).filter((entry) => entry.isDirectory())
  const inside = await Promise.all(folders.map(({ name }) => casesIn(join(dir, name), model)))
  if (inside.flat().length > 0) return inside.flat()
  throw new DitError(
    'not-found',
    `${dir} holds no case`,
    'Give a case (a folder with meta.json), a folder of cases, or the golden/ folder of a trained model.',
  )
}

async function casesIn(dir: string, model: string | undefined): Promise<Found[]> {
  const files = new Set((await entries(dir)).filter((entry) => !entry.isDirectory()).map(({ name }) => name))
  if (files.has('meta.json')) return [await goldenCase(dir)]
  const names = [...files].filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length))
  const pairs = names.filter((name) => files.has(`${name}.safetensors`)).sort()
  return Promise.all(pairs.map((name) => trainedCase(dir, name, model ?? join(dir, '..'))))
}

async function goldenCase(dir: string): Promise<Found> {
  const name = basename(resolve(dir))
  return described(name, join(dir, 'meta.json'), async (meta) => {
    if (!isRecord(meta.runs)) throw new DitError('corrupt', `${join(dir, 'meta.json')} names no runs`)
    return { name, folder: dir, meta: meta as CaseMeta, float16: await readHalfErrors(join(dir, '..'), name) }
  })
}

async function trainedCase(dir: string, name: string, model: string): Promise<Found> {
  const path = resolve(dir)
  const title = `${basename(dirname(path))}/${name}`
  return described(title, join(dir, `${name}.json`), async (call) => ({
    name: title,
    folder: dir,
    model,
    float16: await readHalfErrors(dir, name),
    meta: { builder: TRAINED, runs: { main: { io: `${name}.safetensors`, call } } },
  }))
}

/** A case from its JSON file; a file that cannot be read is reported in its place, so that the other cases go on. */
async function described(
  name: string,
  file: string,
  make: (json: Record<string, unknown>) => Promise<Case>,
): Promise<Found> {
  try {
    const json = parseJson(await fs.readFile(file, 'utf8'), file)
    if (!isRecord(json)) throw new DitError('corrupt', `${file} holds no JSON object`)
    return await make(json)
  } catch (error) {
    if (error instanceof DitError) return { name, fault: error }
    return { name, fault: new DitError('io', `cannot read ${file}: ${(error as Error).message}`) }
  }
}

async function entries(dir: string): Promise<Dirent[]> {
  try {
    const found = await fs.readdir(dir, { withFileTypes: true })
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (cause) {
    throw new DitError('not-found', `there is no folder ${dir}`, undefined, { cause })
  }
}
