import { NETWORKS, type NetworkClass } from '../models/component.ts'
import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'
import { hasWeights, presentVariants } from '../runtime/weights/checkpoint_files.ts'
import type { Source } from '../runtime/weights/source.ts'

/**
 * The variant in which each network of a pipeline is loaded, by its folder, as DiffusionPipeline.from_pretrained of
 * diffusers has it: networks that have the variant use it, the others their plain files.
 *
 * @throws DitError 'not-found' where no network has the variant
 */
export async function componentVariants(
  source: Source,
  networks: Readonly<Record<string, NetworkClass>>,
  variant: string | undefined,
): Promise<Readonly<Record<string, string | undefined>>> {
  if (variant === undefined) return {}
  const folders = Object.entries(networks)
  const chosen = await Promise.all(
    folders.map(async ([folder, className]) => {
      const { stem } = NETWORKS[className]
      if (await hasWeights(source, folder, stem, variant)) return { has: true, variant }
      // One with neither is refused when it is opened, by the name of what was asked for.
      return { has: false, variant: (await hasWeights(source, folder, stem)) ? undefined : variant }
    }),
  )
  if (chosen.some(({ has }) => has)) return Object.fromEntries(folders.map(([name], i) => [name, chosen[i].variant]))
  throw new DitError(
    'not-found',
    `no component of ${source.name} has the variant ${show(variant)} of its weights`,
    await choices(source, folders),
  )
}

/** What could be asked for instead. */
async function choices(source: Source, folders: readonly [string, NetworkClass][]): Promise<string> {
  const having = new Map<string, string[]>()
  for (const [folder, className] of folders) {
    for (const variant of await presentVariants(source, folder, NETWORKS[className].stem)) {
      having.set(variant, [...(having.get(variant) ?? []), folder])
    }
  }
  if (having.size === 0) return 'There are plain files alone: ask for no variant.'
  const found = [...having].map(([variant, names]) => `${variant} (${names.join(', ')})`)
  return `Choose from what is there: ${found.sort().join(', ')}; or ask for no variant.`
}
