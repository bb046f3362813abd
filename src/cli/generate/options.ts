import { PARALLEL_FLAGS } from '../../parallel/config/flags.ts'
import { REFUSED_FLAGS } from '../../parallel/config/xdit_flags.ts'
import { TEXT_ENCODERS } from '../../pipelines/network_files.ts'
import { REQUEST_FLAGS } from '../../pipelines/request_flags.ts'
import type { OptionSpec } from '../command.ts'
import { DEVICE_OPTIONS } from '../device_options.ts'
import { IMAGE_OPTIONS } from './image_file.ts'

export const GENERATE_OPTIONS: readonly OptionSpec[] = [
  ...REQUEST_FLAGS,
  {
    name: 'transformer',
    type: 'text',
    value: 'FILE',
    help: "Weights of the transformer instead of the model's, whose config.json stays: a .safetensors or, of FLUX and SD3, .gguf file by its path or http(s) address. FLUX and SD3 by their authors' tensor names, too.",
  },
  ...TEXT_ENCODERS.map(
    (name): OptionSpec => ({
      name,
      type: 'text',
      value: 'FILE',
      help:
        name === 'text_encoder'
          ? "Weights of the text encoder in the model's folder of that name, likewise; of T5 also a .gguf file, by llama.cpp's tensor names."
          : 'The same of the folder of that name.',
    }),
  ),
  {
    name: 'offload',
    type: 'text',
    value: 'none|components|blocks',
    help: 'components has one of text encoders, transformer and autoencoder on the device at a time, and reads weights anew when they are needed: less memory, more time, the same pictures. blocks has two blocks of the transformer or of T5 there besides, and keeps all others in host memory. Default: none.',
  },
  {
    name: 'on_device_loss',
    type: 'text',
    value: 'resume|fail',
    help: 'When a device is lost, or a rank ends or hangs: resume opens another, or goes on with fewer ranks, after the last step that was done, to the same picture; fail ends with an error. Default: resume.',
  },
  {
    name: 'weights',
    type: 'text',
    value: 'f16|int8|int4|COMPONENT=…',
    help: 'int8 and int4 keep the linear weights of the transformer and the text encoders in about 8.5 and 4.5 bits, made of what the model has: less memory, nearly the same pictures. A format a component: transformer=int4,text_encoder_3=int8. Default: f16, which is f32 in tier f32.',
  },
  {
    name: 'lora',
    type: 'texts',
    value: 'FILE[:WEIGHT]',
    help: 'Adapters to merge into the weights, each a .safetensors file by its path or http(s) address, as diffusers, peft and kohya-ss write it, and how strong it is to be. Default weight: 1.',
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
  ...IMAGE_OPTIONS,
  {
    name: 'compare',
    type: 'text',
    value: 'yes|no',
    help: 'With a step cache: draw the same without it as well, and tell how long that took and how far the pictures are from it, as PSNR. Default: no.',
  },
  {
    name: 'profile',
    type: 'optional text',
    value: 'FILE',
    help: 'Tell what each kernel and each part of the run takes, and write a trace for chrome://tracing or Perfetto. Default file: profile_trace_rank_0.json in the output directory. Measuring makes the run slower.',
  },
  {
    name: 'trace',
    type: 'text',
    value: 'FILE.json',
    help: 'Write what each rank did when, for Perfetto or chrome://tracing, and an SVG beside it: who computed which patch.',
  },
  ...DEVICE_OPTIONS,
  ...PARALLEL_FLAGS,
  ...REFUSED_FLAGS,
]

export const GENERATE_DESCRIPTION = `Draws a picture from a text, and prints the path of the file.

Examples:
  webdit generate --prompt "red apple" --seed 42
  webdit generate --prompt "red apple" "yellow star" --num_images_per_prompt 2
  webdit generate --model ./PixArt-Sigma-XL-2-512-MS --prompt "a snowy mountain" \\
      --height 512 --width 768 --num_inference_steps 30`
