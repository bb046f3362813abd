/** Thrown by a runner for what webdit does not compute yet: the run is counted and listed, and no failure. */
export class Unsupported extends Error {
  override name = 'Unsupported'
}

export const notBuilt = (what: string): Unsupported => new Unsupported(`${what} is not built yet`)
