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
  ...GENERATE_OPTIONS.map((option) =>
    option.name === 'profile'
      ? {
          ...option,
          help: 'After the timed calls, measure one more: tell what each kernel and each part of it takes, and write a trace for chrome://tracing or Perfetto. Default file: profile_trace_rank_0.json in the output directory.',
        }
      : option,
  ),
]

export const BENCH_DESCRIPTION = `Times calls of the pipeline, as xDiT's runner does. Prints seconds a picture and a step, and writes the pictures of the
last call, and timings.json: a list of the seconds that each timed call took.

Examples:
  webdit bench --prompt "red apple" --seed 42 --num_iterations 5 --warmup_calls 1
  webdit bench --prompt "red apple" --num_inference_steps 4 --warmup_calls 1 --profile`
