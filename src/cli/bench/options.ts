import type { OptionSpec } from '../command.ts'
import { GENERATE_OPTIONS } from '../generate/options.ts'

/** The flags of `generate`, and those of xDiT's runner that say how often. */
export const BENCH_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'num_iterations',
    type: 'integer',
    help: 'Calls that are timed. Default: 1.',
  },
  {
    name: 'warmup_calls',
    type: 'integer',
    help: 'Calls before the first that is timed; without one, the first timed call compiles kernels. Default: 0.',
  },
  {
    name: 'compare',
    type: 'text',
    value: 'yes|no',
    help: 'Draw the same on one device, and tell the PSNR of what ranks drew; with a step cache, draw the same without it, and tell the PSNR and how long that took. Default: with a cache, and where ranks work with keys of the step before (PipeFusion, DistriFusion).',
  },
  ...GENERATE_OPTIONS.filter(({ name }) => name !== 'compare').map((option) =>
    option.name === 'profile'
      ? {
          ...option,
          help: 'After the timed calls, measure one more: tell what each kernel and each part of it takes, and write a trace for chrome://tracing or Perfetto. Default file: profile_trace_rank_0.json in the output directory.',
        }
      : option,
  ),
]

export const BENCH_DESCRIPTION = `Times calls of the pipeline, as xDiT's runner does. Prints seconds a picture and a step, and writes the pictures of the
last call, and timings.json: a list of the seconds that each timed call took. Where ranks draw it prints what was predicted
of a step beside what was measured, and how far the pictures of PipeFusion are from one device's.

Examples:
  webdit bench --prompt "red apple" --seed 42 --num_iterations 5 --warmup_calls 1
  webdit bench --prompt "red apple" --num_inference_steps 4 --warmup_calls 1 --profile`
