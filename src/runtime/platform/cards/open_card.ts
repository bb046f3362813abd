import { adapterName } from '../../adapter.ts'
import { DitError } from '../../errors.ts'
import { openNavigator } from '../navigator.ts'
import { currentRuntime, type GpuPlatform, requestAdapter } from '../platform.ts'
import { type Card, cardName, isNamedAs } from './card.ts'

/**
 * Opens that card in this thread, and looks whether it is the one: by its name. Of equal cards only the layer's word says
 * which was opened; `listCards` has heard it for each of them.
 *
 * @throws DitError 'no-adapter' where it is not there any more, or another one answers; 'unsupported' in a thread whose
 *   environment does not reach Vulkan
 */
export async function openCard(card: Card): Promise<GpuPlatform> {
  const { select } = card
  const platform =
    select.backend === 'navigator'
      ? openNavigator(currentRuntime(), select)
      : // One with no environment of its own waits too: while another thread has set one, it would be shown that card alone.
        await (await import('../dawn.node.ts')).openDawn({ ...select, env: select.env ?? {} })
  try {
    const { info } = await requestAdapter(platform, { powerPreference: 'high-performance' })
    if (isNamedAs(card, info)) return platform
    const what = `${cardName(card)} was asked for, and ${adapterName(info)} was opened`
    throw new DitError('no-adapter', what, 'the machine has other cards than when they were listed: list them again')
  } catch (error) {
    platform.close()
    throw error
  }
}
