import type { Kernel, KernelTarget } from './kernel.ts'
import type { Use } from './tensor.ts'

const known = new Map<string, Kernel>()

/** The kernel of that name; its text is generated once a process. Names carry every parameter of the text. */
export function kernel(name: string, code: () => string): Kernel {
  let found = known.get(name)
  if (!found) {
    found = { name, code: code() }
    known.set(name, found)
  }
  return found
}

/** How the tier stores tensors of that use. */
export const storedAs = (target: KernelTarget, use: Use = 'stream'): 'f32' | 'f16' =>
  use === 'operand' && target.tier !== 'f32' ? 'f16' : 'f32'

/** Threads of elementwise kernels. A CPU runs four at a time and pays for each workgroup; GPUs like two warps. */
export const flatWorkgroup = (target: KernelTarget): number => (target.software ? 16 : 64)

/** Threads that reduce one row together. On a CPU a barrier costs more than it saves: one SIMD vector of threads. */
export const rowWorkgroup = (target: KernelTarget): number => (target.software ? 4 : 128)
