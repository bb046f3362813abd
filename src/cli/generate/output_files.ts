import { access, constants, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DitError } from '../../runtime/errors.ts'
import { makeFolders } from '../../runtime/platform/make_folders.node.ts'

/** Letters of a prompt that go into a file's name. */
const SLUG_LENGTH = 60

/**
 * Makes the folder if it is not there, and sees to it that files can be written: before an hour of drawing, not after.
 * @param flag the flag that says where
 * @throws DitError 'io'
 */
export async function prepareOutputDirectory(folder: string, flag = 'output_directory'): Promise<void> {
  try {
    await makeFolders(resolve(folder))
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(folder), { code: 'ENOTDIR' })
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const isFile = code === 'ENOTDIR'
    throw new DitError(
      'io',
      `cannot write into the folder ${folder} (${isFile ? 'there is a file of that name' : code})`,
      `Choose another folder with --${flag}.`,
      { cause },
    )
  }
}

/** What a file is called: the prompt's words, and the seed that draws it again. */
export function fileStem(prompt: string, seed: number | undefined): string {
  const slug = prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, '-')
  const words = [...slug].slice(0, SLUG_LENGTH).join('').replace(/^-|-$/g, '') || 'picture'
  return `${words}-${seed === undefined ? 'latents' : `seed-${seed}`}`
}

/** A path in `folder` that no file has: STEM.png, STEM-2.png, STEM-3.png, … */
export async function freePath(folder: string, stem: string, extension: string): Promise<string> {
  for (let number = 1; ; number++) {
    const path = join(folder, `${stem}${number > 1 ? `-${number}` : ''}.${extension}`)
    if (!(await exists(path))) return path
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
