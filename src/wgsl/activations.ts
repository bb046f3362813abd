export type Activation = 'none' | 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu' | 'relu' | 'tanh'

/**
 * Activations as WGSL functions `act_*` over f32.
 *
 * GELU's tanh form is written as x·sigmoid(2u): equal to 0.5·x·(1 + tanh u), and safe where a driver's tanh
 * overflows for large arguments. Its exact form takes erfc from a Chebyshev fit whose relative error is below 1.2e-7
 * (Press et al., Numerical Recipes, erfcc), so that small values of large negative arguments are right as well.
 */
export const activation = (name: Activation): string => {
  switch (name) {
    case 'none':
      return ''
    case 'gelu':
      return `fn act(x: f32) -> f32 {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.5 * z);
  let fit = ${horner('t', ERFC)};
  let outside = 0.5 * t * exp(fit - z * z);
  return x * select(outside, 1.0 - outside, x >= 0.0);
}`
    case 'gelu_tanh':
      return 'fn act(x: f32) -> f32 { return x / (1.0 + exp(-1.5957691216057308 * (x + 0.044715 * x * x * x))); }'
    case 'quick_gelu':
      return 'fn act(x: f32) -> f32 { return x / (1.0 + exp(-1.702 * x)); }'
    case 'silu':
      return 'fn act(x: f32) -> f32 { return x / (1.0 + exp(-x)); }'
    case 'relu':
      return 'fn act(x: f32) -> f32 { return max(x, 0.0); }'
    case 'tanh':
      // As gelu_tanh's: 1 - 2·sigmoid(-2x).
      return 'fn act(x: f32) -> f32 { return 1.0 - 2.0 / (1.0 + exp(2.0 * x)); }'
  }
}

/** ln(erfc(z) / t) + z² as a polynomial of t = 1 / (1 + z / 2), from the constant on. */
const ERFC = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
]

const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.map(String).reduceRight((sum, coefficient) => `${coefficient} + ${x} * (${sum})`)
