import {
  type Component,
  type ComponentOptions,
  type ConfigOf,
  loadComponent,
  type NetworkClass,
} from '../../src/models/component.ts'
import type { Device } from '../../src/runtime/device.ts'
import { openFolder } from '../../src/runtime/weights/folder_source.node.ts'
import { testDevice } from './device.ts'
import { goldenFolder } from './golden_io.ts'

/** A golden case's network, on the test device unless told otherwise. */
export async function goldenComponent<C extends NetworkClass>(
  className: C,
  golden: string,
  device?: Device,
  options?: ComponentOptions<ConfigOf<C>>,
): Promise<Component<C>> {
  const source = await openFolder(goldenFolder(golden) ?? golden)
  try {
    return await loadComponent(device ?? (await testDevice()), className, source, '', options)
  } finally {
    await source.close()
  }
}
