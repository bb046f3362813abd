import { untilAnswered } from './patience.ts'
import type { Rooms } from './rooms.ts'

/** The keys of a bucket, those that were deleted among them. The client's own way leaves a consumer behind for minutes. */
export function keysOf({ nc, jsm }: Pick<Rooms, 'nc' | 'jsm'>, bucket: string): Promise<string[]> {
  const prefix = `$KV.${bucket}.`
  return untilAnswered(nc, 'a list', async () => {
    const { state } = await jsm.streams.info(`KV_${bucket}`, { subjects_filter: `${prefix}>` })
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length))
  })
}
