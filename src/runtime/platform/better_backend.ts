import { adapterMerit } from '../adapter.ts'
import { DitError } from '../errors.ts'
import { type Backend, type GpuPlatform, openPlatform, type PlatformOptions, requestAdapter } from './platform.ts'

/**
 * Opens the backend that has the better adapter; the earlier one where they are equal.
 *
 * @throws DitError 'no-adapter' where none has any, with the reason of each
 */
export async function openBetter(backends: readonly Backend[], options: PlatformOptions): Promise<GpuPlatform> {
  let best: { platform: GpuPlatform; merit: number } | undefined
  const failures: DitError[] = []
  for (const backend of backends) {
    let platform: GpuPlatform | undefined
    try {
      platform = await openPlatform({ ...options, backend })
      const merit = adapterMerit(await requestAdapter(platform, { powerPreference: 'high-performance' }))
      if (best && best.merit >= merit) platform.close()
      else {
        best?.platform.close()
        best = { platform, merit }
      }
    } catch (error) {
      platform?.close()
      if (!(error instanceof DitError)) throw error
      failures.push(error)
    }
  }
  if (best) return best.platform
  throw new DitError('no-adapter', failures.map(({ message }) => message).join('; '), failures.at(-1)?.hint)
}
