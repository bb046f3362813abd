import type { Scheduler } from '../../src/schedulers/scheduler.ts'

export interface Sampled {
  /** The latents after each step. */
  samples: Float32Array[]
  /** The predicted data at each step. */
  denoised: Float32Array[]
}

/** A schedule carried out in float32 on the host, with the golden cases' synthetic network: 0.1 · input + sin(t / 100). */
export function sampleSynthetic(scheduler: Scheduler, noise: Float32Array, draw: () => Float32Array): Sampled {
  let x = noise.map((value) => value * scheduler.initNoiseSigma)
  const history: Float32Array[] = []
  const samples = scheduler.timesteps.map((t, i) => {
    const { conv, next } = scheduler.step(i, i)
    const input = scheduler.scaleModelInput(i)
    const m = x.map((value) => 0.1 * Math.fround(value * input) + Math.sin(t / 100))
    const limit = conv.clamp ?? Number.POSITIVE_INFINITY
    const d0 = x.map((value, k) => Math.min(Math.max(conv.sample * value + conv.output * m[k], -limit), limit))
    history.unshift(d0)
    const fresh = next.noise === 0 ? undefined : draw()
    x = x.map((value, k) => {
      const base = next.sample * value + next.output * m[k] + (fresh ? next.noise * fresh[k] : 0)
      return next.d.reduce((sum, c, back) => sum + c * history[back][k], base)
    })
    return x
  })
  return { samples, denoised: history.reverse() }
}
