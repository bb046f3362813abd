import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import type { Source, SourceFile } from '../runtime/weights/source.ts'
import { fileName, openNamedFile } from './named_file.ts'

/** Weights of networks in files of their own, instead of those in the model's folders, whose config.json stay. */
export interface NetworkFileOptions {
  /**
   * Weights of the transformer: a .safetensors or .gguf file by its path (Node, Deno) or address, or a file of a source; by the
   * names of diffusers, or by those that the authors of FLUX and SD3 give.
   */
  transformer?: string | SourceFile
  /** Weights of text encoders by their folders, such as { text_encoder_3: 't5-v1_1-xxl-encoder-Q8_0.gguf' }; T5 also by llama.cpp's names. */
  textEncoders?: Readonly<Record<string, string | SourceFile>>
}

/** Files of networks, opened. */
export interface NetworkFiles {
  /** By the folder whose weights they stand for. */
  readonly files: Readonly<Record<string, SourceFile>>
  /** Closes what was opened for them. */
  close(): Promise<void>
}

const KINDS = /\.(safetensors|gguf)$/

/** Names of the folders of text encoders. */
export const TEXT_ENCODERS = ['text_encoder', 'text_encoder_2', 'text_encoder_3'] as const

/**
 * Opens the files that stand for the weights of a pipeline's networks.
 *
 * @param folders of the networks that there are
 * @throws DitError 'not-found'; 'bad-argument' where one is no file of weights by its name, or is for a network that the model
 *   has not
 */
export async function openNetworkFiles(options: NetworkFileOptions, folders: readonly string[]): Promise<NetworkFiles> {
  const given = checkNetworkFiles(options, folders)
  const opened: Source[] = []
  const close = async () => void (await Promise.all(opened.map((source) => source.close())))
  const files: Record<string, SourceFile> = {}
  try {
    for (const [folder, file] of Object.entries(given)) {
      if (typeof file === 'string') {
        files[folder] = await openNamedFile(file, (cause) => noFile(folder, file, cause))
        opened.push(files[folder].source)
      } else {
        files[folder] = file
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  return { files, close }
}

/** What is given, by the folder it is for. @throws DitError as openNetworkFiles, for what can be told of names alone */
export function checkNetworkFiles(
  { transformer, textEncoders = {} }: NetworkFileOptions,
  folders: readonly string[],
): Readonly<Record<string, string | SourceFile>> {
  const encoders = folders.filter((folder) => (TEXT_ENCODERS as readonly string[]).includes(folder))
  for (const [folder, file] of Object.entries(textEncoders)) {
    if (encoders.includes(folder)) continue
    throw new DitError(
      'bad-argument',
      `${folder} is ${show(typeof file === 'string' ? file : file.path)}, and this model has no such text encoder`,
      `Its text encoders are ${encoders.join(', ')}.`,
    )
  }
  const given = { ...textEncoders, ...(transformer === undefined ? {} : { transformer }) }
  for (const [folder, file] of Object.entries(given)) {
    if (typeof file !== 'string' || KINDS.test(fileName(file))) continue
    throw new DitError(
      'bad-argument',
      `${folder} is ${show(file)}, expected a .safetensors or .gguf file`,
      wanted(folder),
    )
  }
  return given
}

const wanted = (folder: string): string =>
  folder === 'transformer'
    ? 'Give a file with the weights of the transformer alone, in diffusers’ names or in those of its authors.'
    : 'Give a file with the weights of the text encoder alone, in transformers’ names or, of T5, in those of llama.cpp.'

const noFile = (folder: string, given: string, cause?: unknown): DitError =>
  new DitError('not-found', `${folder} is ${show(given)}, and there is no such file`, wanted(folder), { cause })
