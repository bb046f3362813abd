// A rank's worker that fails at its start, or whose device is lost before its n-th command encoder:
// FAULTY_RANK="lost 100"
import { globals } from 'webgpu'

const [fault, at] = process.env.FAULTY_RANK.split(' ')
if (fault === 'throw') throw new Error('a fault of the worker')

let encoders = 0
const { createCommandEncoder } = globals.GPUDevice.prototype
globals.GPUDevice.prototype.createCommandEncoder = function (...args) {
  if (++encoders === Number(at)) this.destroy()
  return createCommandEncoder.apply(this, args)
}

await import('../../dist/rank.js')
