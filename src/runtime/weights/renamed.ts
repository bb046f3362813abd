import type { Checkpoint } from './checkpoint.ts'

/**
 * A checkpoint whose tensors have other names: releases of a library may write the same model with and without a prefix.
 * Where a tensor of the new name is there already, the old name stays.
 */
export function renamedCheckpoint(checkpoint: Checkpoint, rename: (name: string) => string): Checkpoint {
  const names = checkpoint.names()
  const taken = new Set(names)
  const stored = new Map(names.map((name) => [taken.has(rename(name)) ? name : rename(name), name]))
  const nameOf = (name: string) => stored.get(name) ?? name
  return {
    ...checkpoint,
    names: () => [...stored.keys()].sort(),
    has: (name) => stored.has(name),
    entry: (name) => checkpoint.entry(nameOf(name)),
    readInto: (name, offset, target) => checkpoint.readInto(nameOf(name), offset, target),
    read: (name) => checkpoint.read(nameOf(name)),
  }
}
