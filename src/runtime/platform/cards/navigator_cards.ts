import { adapterName, isSoftware } from '../../adapter.ts'
import type { CardReport } from './card.ts'

/**
 * The adapters of `navigator.gpu`, which tells of two at most: the fast one, and the thrifty one where that is another.
 *
 * @param software software adapters too, where there is a GPU
 */
export async function listNavigatorCards(
  gpu: Pick<GPU, 'requestAdapter'> | undefined = (globalThis.navigator as Navigator | undefined)?.gpu,
  software = false,
): Promise<CardReport> {
  const preferences: GPUPowerPreference[] = ['high-performance', 'low-power']
  const asked = preferences.map(async (powerPreference) => {
    const adapter = await gpu?.requestAdapter({ powerPreference }).catch(() => null)
    return adapter ? [{ powerPreference, info: adapter.info }] : []
  })
  const found = (await Promise.all(asked)).flat()
  const [first] = found
  if (!first) return { cards: [], problems: [] }
  const key = ({ info }: typeof first) => [info.vendor, info.architecture, info.device, info.description].join('\n')
  const different = found.filter((one) => one === first || key(one) !== key(first))
  const hardware = different.filter(({ info }) => !isSoftware(info))
  const used = software || hardware.length === 0 ? different : hardware
  return {
    cards: used.map(({ powerPreference, info }) => ({
      name: adapterName(info),
      software: isSoftware(info),
      alike: 1,
      how: different.length > 1 ? 'power-preference' : 'only',
      select: { backend: 'navigator', ...(different.length > 1 ? { powerPreference } : {}) },
    })),
    problems: [],
  }
}
