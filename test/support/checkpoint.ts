import { join } from 'node:path'
import { type Component, loadComponent, type NetworkClass } from '../../src/models/component.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { testDevice } from './device.ts'
import { GOLDEN } from './golden_io.ts'

/** A golden case's network on the test device. */
export async function goldenComponent<C extends NetworkClass>(className: C, golden: string): Promise<Component<C>> {
  const source = await openFolder(join(GOLDEN, golden))
  try {
    return await loadComponent(await testDevice(), className, source, '')
  } finally {
    await source.close()
  }
}
