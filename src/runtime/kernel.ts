/**
 * A compute kernel: WGSL text with a name that is unique for its parameters.
 *
 * Conventions every kernel follows: entry point `main`; group 0, binding 0 is the uniform block `p`; bindings 1…n
 * are the storage buffers in the order the op passes them (inputs, then outputs). Sizes are uniforms, so a new
 * resolution compiles nothing.
 */
export interface Kernel {
  readonly name: string
  readonly code: string
}

/** What a kernel needs to know of the device it is generated for. */
export interface KernelTarget {
  readonly tier: Tier
  /** The device is a CPU: few wide threads, dear memory access, cheap registers. */
  readonly software: boolean
  /** Quads of four neighbouring threads can share values in registers. */
  readonly quads: boolean
}

export type Tier = 'f32' | 'f16' | 'matrix'
