import type { OptionSpec } from '../command.ts'
import { DEVICE_OPTIONS } from '../device_options.ts'

/** xDiT's names where xDiT has the flag, diffusers' otherwise. */
export const GENERATE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'model',
    type: 'text',
    value: 'FOLDER',
    help: 'A diffusers folder: model_index.json and a folder for each component. Default: the embedded model, models/emoji-pixart.',
  },
  { name: 'prompt', type: 'texts', value: 'TEXT', help: 'What to draw; several texts draw several pictures.' },
  {
    name: 'negative_prompt',
    type: 'texts',
    value: 'TEXT',
    help: 'What to stay away from: one for all prompts, or one for each. Default: nothing in particular.',
  },
  { name: 'height', type: 'integer', help: "Pixels. Default: the model's native size." },
  { name: 'width', type: 'integer', help: "Pixels. Default: the model's native size." },
  { name: 'num_inference_steps', type: 'integer', help: 'Denoising steps: more are slower and finer. Default: 20.' },
  {
    name: 'guidance_scale',
    type: 'number',
    value: 'X',
    help: 'How closely to follow the prompt; up to 1 there is no guidance, and a step costs half. Default: 4.5.',
  },
  {
    name: 'seed',
    type: 'integer',
    help: "Draws the same picture again, the one that torch's generator gives in diffusers. Default: at random; it is in the file's name.",
  },
  {
    name: 'generator',
    type: 'text',
    value: 'cpu|cuda',
    help: "Whose numbers a seed gives: torch's CPU generator, or its CUDA one as on an H100. Default: cpu.",
  },
  {
    name: 'eta',
    type: 'number',
    value: 'X',
    help: 'Fresh noise in each step of DDIM, from 0 to 1; the other schedulers take none. Default: 0.',
  },
  { name: 'num_images_per_prompt', type: 'integer', help: 'Pictures of each prompt. Default: 1.' },
  {
    name: 'max_sequence_length',
    type: 'integer',
    help: "Text tokens that are read of a prompt. Default: the pipeline's, or the tokenizer's if that is less.",
  },
  {
    name: 'output_type',
    type: 'text',
    value: 'pil|latent',
    help: "pil writes PNG files, latent the undecoded latents as .safetensors. Default: pil, diffusers' word for pictures.",
  },
  {
    name: 'output_directory',
    type: 'text',
    value: 'FOLDER',
    help: 'Where the files go; it is made if it is not there. Default: outputs.',
  },
  {
    name: 'latents',
    type: 'text',
    value: 'FILE',
    help: 'Start from this noise; a seed is then for the steps of schedulers that draw noise: a .safetensors with a tensor latents [pictures, channels, height, width].',
  },
  {
    name: 'no_use_resolution_binning',
    type: 'flag',
    help: 'Draw at exactly the given size. By default PixArt draws at the nearest size it was trained for and resizes.',
  },
  {
    name: 'enable_tiling',
    type: 'flag',
    help: 'Decode large pictures a tile at a time: it takes the memory of a tile instead of that of the picture, and changes the picture a little.',
  },
  {
    name: 'variant',
    type: 'text',
    value: 'NAME',
    help: 'Which weight files to load, such as fp16. Default: the plain ones, or else the only ones there are.',
  },
  {
    name: 'profile',
    type: 'optional text',
    value: 'FILE',
    help: 'Tell what each kernel and each part of the run takes, and write a trace for chrome://tracing or Perfetto. Default file: profile_trace_rank_0.json in the output directory. Measuring makes the run slower.',
  },
  ...DEVICE_OPTIONS,
]

export const GENERATE_DESCRIPTION = `Draws a picture from a text, and prints the path of the file.

Examples:
  webdit generate --prompt "red apple" --seed 42
  webdit generate --prompt "red apple" "yellow star" --num_images_per_prompt 2
  webdit generate --model ./PixArt-Sigma-XL-2-512-MS --prompt "a snowy mountain" \\
      --height 512 --width 768 --num_inference_steps 30`
