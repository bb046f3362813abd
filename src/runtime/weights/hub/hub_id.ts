/** A model of the hub, at a branch, tag or commit. */
export interface HubId {
  /** org/name. */
  readonly id: string
  /** As people gave it; 'main' where they gave none. */
  readonly revision: string
}

const PART = '\\w(?:[\\w.-]*\\w)?'
const ID = new RegExp(`^(${PART}/${PART})(?:@(.+))?$`)
/** The hub's own bound, in characters. */
const LONGEST = 96
/** What git takes for the names of branches and tags, nearly. */
const REVISION = /^[A-Za-z0-9_][A-Za-z0-9._+/-]*$/

/** `org/name` or `org/name@revision`; undefined for a text that is neither, such as the path of a folder. */
export function parseHubId(text: string): HubId | undefined {
  const [, id, revision = 'main'] = ID.exec(text) ?? []
  if (id === undefined || id.length > LONGEST || /--|\.\.|\.git$/.test(id)) return undefined
  if (!REVISION.test(revision) || /\.\.|\/\/|\/$/.test(revision)) return undefined
  return { id, revision }
}

/** For people, who tell commits by their beginnings. */
export function hubText({ id, revision }: HubId): string {
  return revision === 'main' ? id : `${id}@${isCommit(revision) ? revision.slice(0, 7) : revision}`
}

/** A commit never changes: no server needs to be asked what it is. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}
