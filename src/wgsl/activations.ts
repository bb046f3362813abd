export type Activation = 'none' | 'gelu_tanh' | 'silu' | 'relu'

/**
 * Activations as WGSL functions `act_*` over f32.
 *
 * GELU's tanh form is written as x·sigmoid(2u): equal to 0.5·x·(1 + tanh u), and safe where a driver's tanh
 * overflows for large arguments.
 */
export const activation = (name: Activation): string => {
  switch (name) {
    case 'none':
      return ''
    case 'gelu_tanh':
      return 'fn act(x: f32) -> f32 { return x / (1.0 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x))); }'
    case 'silu':
      return 'fn act(x: f32) -> f32 { return x / (1.0 + exp(-x)); }'
    case 'relu':
      return 'fn act(x: f32) -> f32 { return max(x, 0.0); }'
  }
}
