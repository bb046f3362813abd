import { type Degrees, ONE_RANK } from '../../src/parallel/mesh/mesh.ts'

/** Every way to write `ranks` as a product of the degrees of axes whose results equal one device's; cfg is 1 or 2. */
export function factorisations(ranks: number): Degrees[] {
  const divisors = Array.from({ length: ranks }, (_, i) => i + 1).filter((d) => ranks % d === 0)
  const all: Degrees[] = []
  for (const data of divisors)
    for (const cfg of divisors.filter((d) => d <= 2))
      for (const ring of divisors)
        for (const ulysses of divisors)
          for (const tensor of divisors) {
            if (data * cfg * ring * ulysses * tensor !== ranks) continue
            all.push({ ...ONE_RANK, data, cfg, ring, ulysses, tensor })
          }
  return all
}

/** 'ulysses 2 x cfg 2', as people say it. */
export const degreesText = (degrees: Degrees): string =>
  Object.entries(degrees)
    .filter(([, degree]) => degree > 1)
    .map(([axis, degree]) => `${axis} ${degree}`)
    .join(' x ') || 'one rank'
