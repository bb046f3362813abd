/** A normal distribution of latents, each independent of the others; arrays are [batch, latentChannels, height, width]. */
export interface Posterior {
  readonly mean: Float32Array
  /** Logarithm of the variance, held to -30 to 20. */
  readonly logvar: Float32Array
  /** The likeliest latents: the mean. */
  mode(): Float32Array
  /** mean + deviation · noise, for noise of unit variance, of the same shape. */
  sample(noise: Float32Array): Float32Array
}

/**
 * DiagonalGaussianDistribution of diffusers' vae.py. Latents as a pipeline has them are its values times scaling_factor,
 * after shift_factor is taken off.
 *
 * @param moments what `encode` gives, [batch, 2 · latentChannels, height, width]
 */
export function posterior(moments: Float32Array, [batch]: readonly number[]): Posterior {
  const half = moments.length / batch / 2
  const mean = new Float32Array(batch * half)
  const logvar = new Float32Array(batch * half)
  for (let i = 0; i < batch; i++) {
    mean.set(moments.subarray(2 * i * half, (2 * i + 1) * half), i * half)
    logvar.set(moments.subarray((2 * i + 1) * half, (2 * i + 2) * half), i * half)
  }
  for (let i = 0; i < logvar.length; i++) logvar[i] = Math.min(Math.max(logvar[i], -30), 20)
  return {
    mean,
    logvar,
    mode: () => mean,
    sample: (noise) => mean.map((value, i) => value + Math.exp(0.5 * logvar[i]) * noise[i]),
  }
}
