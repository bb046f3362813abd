import type { NetworkClass } from '../models/component.ts'
import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import { type WeightFormat, type WeightFormatName, weightFormat } from '../runtime/weights/weight_formats.ts'

/**
 * In what format linear weights are kept: one for the transformer and all text encoders, or one for each component by its
 * folder, f16 where none is given. As a text like a command line's: 'int8', 'transformer=int4,text_encoder_3=int8'.
 */
export type WeightFormats = string | Readonly<Record<string, WeightFormatName>>

/**
 * The format of each network, by its folder; none where weights stay as they are.
 *
 * @throws DitError 'bad-argument' for a format or a component that there is not
 */
export function componentFormats(
  given: WeightFormats | undefined,
  networks: Readonly<Record<string, NetworkClass>>,
): Readonly<Record<string, WeightFormat | undefined>> {
  const folders = Object.keys(networks)
  const formats: Record<string, WeightFormat | undefined> = {}
  for (const [folder, name] of Object.entries(readFormats(given))) {
    const format = weightFormat(name)
    if (folder === ALL) {
      for (const one of folders.filter((other) => networks[other] !== 'AutoencoderKL')) formats[one] = format
    } else if (folders.includes(folder)) {
      formats[folder] = format
    } else {
      throw new DitError(
        'bad-argument',
        `weights are given for ${show(folder)}, and this model has no such component`,
        `Its networks are ${folders.join(', ')}.`,
      )
    }
  }
  return formats
}

/** Stands for the transformer and all text encoders. */
const ALL = ''

/** Formats by folders, checked; that of all comes first. @throws DitError 'bad-argument' for what is none */
export function readFormats(given: WeightFormats | undefined): Readonly<Record<string, unknown>> {
  if (given === undefined) return {}
  const entries =
    typeof given === 'string'
      ? given.split(',').map((part): [string, unknown] => {
          const [, folder = ALL, name] = /^(?:([^=]+)=)?(.*)$/s.exec(part.trim()) ?? []
          return [folder, name]
        })
      : Object.entries(given)
  for (const [, name] of entries) weightFormat(name)
  return Object.fromEntries(entries.sort(([a], [b]) => Number(a !== ALL) - Number(b !== ALL)))
}
