import type { OptionSpec } from '../command.ts'
import { GENERATE_OPTIONS } from '../generate/options.ts'

/** What of `generate` a table of prompts has no use for: it says these itself, or they are of one run. */
const LEFT_OUT = [
  ...['prompt', 'prompt_2', 'prompt_3', 'num_images_per_prompt', 'output_type', 'latents', 'image', 'strength'],
  ...['profile', 'trace', 'compare'],
]

const OWN: readonly OptionSpec[] = [
  {
    name: 'dataset_path',
    type: 'text',
    value: 'FILE.csv',
    help: "The table, where it does not stand alone behind the command: xDiT's flag.",
  },
  {
    name: 'batch_size',
    type: 'integer',
    help: 'Pictures of one size and as many steps that are drawn together. Default: 1.',
  },
  {
    name: 'output_directory',
    type: 'text',
    value: 'FOLDER',
    help: 'Where pictures and manifest.jsonl go; a job that was broken off goes on there. Default: outputs.',
  },
]

export const BATCH_OPTIONS: readonly OptionSpec[] = [
  ...OWN,
  ...GENERATE_OPTIONS.filter(({ name }) => !LEFT_OUT.includes(name) && !OWN.some((own) => own.name === name)),
]

export const BATCH_DESCRIPTION = `Draws a picture for each row of a table, and writes each as soon as it is finished. A job that was broken off, at any
moment and by whatever, goes on where it was when it is started again.

The table is a CSV file with a column prompt. Columns negative_prompt, prompt_2, prompt_3, seed, height, width,
num_inference_steps and guidance_scale may stand beside it; flags say what a row leaves empty.

Examples:
  webdit batch prompts.csv --output_directory pictures
  webdit batch --dataset_path prompts.csv --batch_size 4 --seed 42`
