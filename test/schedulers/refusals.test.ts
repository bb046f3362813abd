import { describe, expect, it } from 'vitest'
import { DitError } from '../../src/runtime/errors.ts'
import { createScheduler } from '../../src/schedulers/index.ts'
import type { SetTimestepsOptions } from '../../src/schedulers/scheduler.ts'

type Config = Record<string, unknown>
const flow = (options: Config = {}) => ({ _class_name: 'FlowMatchEulerDiscreteScheduler', ...options })
const euler = (options: Config = {}) => ({ _class_name: 'EulerDiscreteScheduler', ...options })
const ddpm = (options: Config = {}) => ({ _class_name: 'DDPMScheduler', ...options })
const ddim = (options: Config = {}) => ({ _class_name: 'DDIMScheduler', ...options })

function refusal(act: () => unknown): DitError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(DitError)
    return error as DitError
  }
  throw new Error('nothing was thrown')
}

describe('configs that are refused, by name', () => {
  it.each<[Config, DitError['kind'], string]>([
    [ddpm({ thresholding: true }), 'unsupported', 'DDPMScheduler: thresholding is on'],
    [ddim({ thresholding: true }), 'unsupported', 'DDIMScheduler: thresholding is on'],
    [ddpm({ variance_type: 'learned_range' }), 'unsupported', 'variance_type is learned_range'],
    [ddpm({ variance_type: 'learned' }), 'unsupported', 'variance_type is learned'],
    [ddpm({ variance_type: 'fixed_large_log' }), 'unsupported', 'variance_type is fixed_large_log'],
    [ddpm({ variance_type: 'tiny' }), 'bad-argument', 'variance_type is "tiny"'],
    [ddpm({ prediction_type: 'flow_prediction' }), 'bad-argument', 'prediction_type'],
    [ddpm({ clip_sample_range: 0 }), 'bad-argument', 'clip_sample_range is 0'],
    [ddpm({ clip_sample: 'yes' }), 'bad-argument', 'clip_sample is "yes"'],
    [ddim({ beta_schedule: 'sigmoid' }), 'bad-argument', 'beta_schedule is "sigmoid"'],
    [ddim({ set_alpha_to_one: 1 }), 'bad-argument', 'set_alpha_to_one is 1'],
    [ddim({ trained_betas: [0.1] }), 'bad-argument', 'trained_betas has 1 entries'],
    [ddim({ beta_end: 2 }), 'bad-argument', 'between 0 and 1'],
    [euler({ timestep_spacing: 'even' }), 'bad-argument', 'timestep_spacing is "even"'],
    [euler({ interpolation_type: 'cubic' }), 'bad-argument', 'interpolation_type is "cubic"'],
    [euler({ sigma_max: -1 }), 'bad-argument', 'sigma_max is -1'],
    [
      euler({ use_karras_sigmas: true, use_beta_sigmas: true }),
      'bad-argument',
      'use_karras_sigmas and use_beta_sigmas',
    ],
    [flow({ shift: 0 }), 'bad-argument', 'shift is 0'],
    [flow({ shift_terminal: 1 }), 'bad-argument', 'shift_terminal is 1'],
    [flow({ time_shift_type: 'square' }), 'bad-argument', 'time_shift_type is "square"'],
    [flow({ num_train_timesteps: 0 }), 'bad-argument', 'num_train_timesteps is 0'],
  ])('%j', (config, kind, text) => {
    const error = refusal(() => createScheduler(config))
    expect(error.kind).toBe(kind)
    expect(error.message).toContain(text)
  })
})

describe('schedules that are refused', () => {
  const trailing = { timestep_spacing: 'trailing' }
  it.each<[Config, number, SetTimestepsOptions, string]>([
    [ddpm(), 1001, {}, '1001, expected an integer from 1 to 1000'],
    [ddim(), 0, {}, 'steps is 0'],
    [euler(), 2.5, {}, 'steps is 2.5'],
    [flow(), Number.NaN, {}, 'steps is NaN'],
    // numpy.arange counts one step too many there, which ends at timestep -1.
    [ddim(trailing), 61, {}, 'has timestep -1'],
    [ddpm({ steps_offset: 1 }), 1000, {}, 'has timestep 1000'],
    [ddpm({ ...trailing, rescale_betas_zero_snr: true }), 5, {}, 'has no signal'],
    [ddim({ ...trailing, rescale_betas_zero_snr: true }), 5, {}, 'has no signal'],
    [ddim(), 5, { eta: 1.5 }, 'eta is 1.5'],
    [ddim(), 2, { timesteps: [5, 1] }, 'DDIMScheduler takes no custom timesteps'],
    [ddim(), 2, { sigmas: [5, 1] }, 'DDIMScheduler takes no custom sigmas'],
    [ddpm(), 2, { sigmas: [5, 1] }, 'DDPMScheduler takes no custom sigmas'],
    [ddpm(), 2, { timesteps: [1, 5] }, '[1, 5] for 2 steps'],
    [euler(), 2, { sigmas: [5, 1] }, 'custom sigmas [5, 1] for 2 steps'],
    [euler(), 2, { sigmas: [5, 0, 0] }, 'noise level 0 before its end'],
    [euler(), 2, { sigmas: [5, 1, 0], timesteps: [5, 1] }, 'both given'],
    [euler({ use_karras_sigmas: true }), 2, { timesteps: [5, 1] }, 'karras sigmas'],
    [euler(), 2, { timesteps: [1000, 1] }, '[1000, 1] for 2 steps'],
    [flow(), 2, { sigmas: [1] }, 'custom sigmas [1] for 2 steps'],
    [flow(), 2, { timesteps: [1, Number.NaN] }, 'custom timesteps [1, NaN]'],
    [flow(), 1, { timesteps: [1], sigmas: [1] }, 'not both'],
    [flow({ use_dynamic_shifting: true }), 2, {}, 'mu is undefined'],
    [flow({ use_dynamic_shifting: true, time_shift_type: 'linear' }), 2, { mu: -1 }, 'mu is -1'],
    [flow({ shift_terminal: 0.1 }), 1, {}, 'are no numbers'],
  ])('%j in %d steps with %j', (config, steps, options, text) => {
    const error = refusal(() => createScheduler(config).setTimesteps(steps, options))
    expect(error.kind).toBe('bad-argument')
    expect(error.message).toContain(text)
    expect(refusal(() => createScheduler(config).step(0, 0)).message).toContain('step 0 of a schedule of 0 steps')
  })

  it('but not a mu that fixed shifting has no use for: FLUX pipelines always give one', () => {
    const scheduler = createScheduler(flow({ shift: 1 }))
    scheduler.setTimesteps(2, { sigmas: [1, 0.5], mu: 0.7 })
    expect(scheduler.sigmas).toEqual([1, 0.5, 0])
  })
})
