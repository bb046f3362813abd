import { throwIfAborted } from '../../runtime/abort.ts'
import { Device, type DeviceOptions } from '../../runtime/device.ts'
import { DitError } from '../../runtime/errors.ts'
import { type GpuPlatform, openPlatform } from '../../runtime/platform/platform.ts'

/** ms before each further try to open a device: a driver takes its time to start again. */
const PAUSES = [0, 500, 2500]

export interface HeldDevice extends Pick<DeviceOptions, 'memory' | 'tier'> {
  /** The caller's own. */
  readonly device?: Device
  readonly reopen?: (cause: DitError) => Promise<Device>
}

/** The device of a pipeline, and whoever opens the next one. */
export class DeviceHolder {
  readonly #o: HeldDevice
  #opened: { readonly platform: GpuPlatform; readonly device: Device } | undefined

  constructor(options: HeldDevice) {
    this.#o = options
  }

  /** Whether another one can be had. */
  get reopens(): boolean {
    return this.#o.device === undefined || this.#o.reopen !== undefined
  }

  /** The given one, or the runtime's best. @throws DitError 'no-adapter' */
  async open(): Promise<Device> {
    const { device, memory, tier } = this.#o
    if (device) return device
    const platform = await openPlatform()
    try {
      this.#opened = { platform, device: await Device.open(platform, { memory, tier }) }
      return this.#opened.device
    } catch (error) {
      platform.close()
      throw error
    }
  }

  /** Another device in place of a lost one. @throws DitError the loss, and why there is no other */
  async reopen(cause: DitError, signal?: AbortSignal): Promise<Device> {
    this.close()
    let last: unknown
    for (const pause of PAUSES) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      throwIfAborted(signal)
      try {
        return await (this.#o.reopen ? this.#o.reopen(cause) : this.open())
      } catch (error) {
        last = error
      }
    }
    const why = last instanceof Error ? last.message : String(last)
    const hint = last instanceof DitError ? last.hint : undefined
    throw new DitError('device-lost', `${cause.message}; and no other could be opened: ${why}`, hint, { cause: last })
  }

  /** Closes the device, unless it is the caller's. */
  close(): void {
    this.#opened?.device.close()
    this.#opened?.platform.close()
    this.#opened = undefined
  }
}
