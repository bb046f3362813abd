// A rank's worker whose device fails. FAULTY_RANK says how:
//   throw        the worker fails at its start
//   lost N       the device is lost before its N-th command encoder
//   signal lost  the device is lost at SIGUSR2
//   signal hang  the device answers nothing any more from SIGUSR2 on
//   signal fill  the next buffer that is asked for after SIGUSR2 does not fit the device
import { globals } from 'webgpu'

const [fault, at] = process.env.FAULTY_RANK.split(' ')
if (fault === 'throw') throw new Error('a fault of the worker')

const { GPUAdapter, GPUBuffer, GPUDevice, GPUQueue } = globals

/** Calls `before` ahead of a method, with its object and arguments; where that gives something, it is the result. */
function intercept({ prototype }, name, before) {
  const method = prototype[name]
  prototype[name] = function (...args) {
    return before(this, args) ?? method.apply(this, args)
  }
}

if (fault === 'lost') {
  let encoders = 0
  intercept(GPUDevice, 'createCommandEncoder', (device) => {
    if (++encoders === Number(at)) device.destroy()
  })
}
if (fault === 'signal') {
  const devices = []
  let struck = false
  const { requestDevice } = GPUAdapter.prototype
  GPUAdapter.prototype.requestDevice = async function (...args) {
    devices.push(await requestDevice.apply(this, args))
    return devices.at(-1)
  }
  const never = () => (struck && at === 'hang' ? new Promise(() => {}) : undefined)
  intercept(GPUBuffer, 'mapAsync', never)
  intercept(GPUQueue, 'onSubmittedWorkDone', never)
  intercept(GPUDevice, 'createBuffer', (device, [descriptor]) => {
    if (!struck || at !== 'fill' || descriptor.mappedAtCreation) return
    struck = false
    descriptor.size = device.limits.maxBufferSize
  })
  process.on('SIGUSR2', () => {
    struck = true
    if (at === 'lost') for (const device of devices) device.destroy()
  })
}

await import('../../dist/rank.js')
