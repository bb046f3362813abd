/** A rank's ways to the others: ports[to], none to itself. They are transferred to its thread. */
export type PortLinks = readonly (MessagePort | undefined)[]

/** Message channels between all ranks: what each of them is given. */
export function createPortLinks(size: number): PortLinks[] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: size }, () => Array(size).fill(undefined))
  for (let a = 0; a < size; a++) {
    for (let b = a + 1; b < size; b++) {
      const { port1, port2 } = new MessageChannel()
      ports[a][b] = port1
      ports[b][a] = port2
    }
  }
  return ports
}
