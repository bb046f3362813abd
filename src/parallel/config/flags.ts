import type { OptionSpec } from '../../runtime/command_line/option.ts'

/** How work is divided among ranks, in xDiT's names where xDiT has the flag. */
export const PARALLEL_FLAGS: readonly OptionSpec[] = [
  {
    name: 'devices',
    type: 'text',
    value: 'N|auto',
    help: 'Ranks that draw together; auto: as many as there are cards. Without degrees webdit measures and chooses them. Default: as many as the degrees call for, to which N must be equal.',
  },
  {
    name: 'workers',
    type: 'text',
    value: 'processes|threads|one_device',
    help: 'Where ranks run. Default: a process each in Node, a worker each in Deno; one_device puts all on one.',
  },
  {
    name: 'data_parallel_degree',
    type: 'integer',
    help: 'Crews of ranks that draw different pictures. Default: 1.',
  },
  {
    name: 'use_cfg_parallel',
    type: 'flag',
    help: 'Two ranks for the two branches of guidance: with the prompt, and without.',
  },
  {
    name: 'ulysses_degree',
    type: 'integer',
    help: 'Ranks that share the tokens of a picture and exchange heads for attention. Default: 1.',
  },
  {
    name: 'ring_degree',
    type: 'integer',
    help: 'Ranks that share the tokens and pass keys and values round. Default: 1.',
  },
  {
    name: 'tensor_parallel_degree',
    type: 'integer',
    help: 'Ranks that share the weights of every block. Default: 1.',
  },
  {
    name: 'pipefusion_parallel_degree',
    type: 'integer',
    help: 'Stages of blocks, through which patches of the picture go one after the other. Changes the picture a little. Default: 1.',
  },
  {
    name: 'num_pipeline_patch',
    type: 'integer',
    help: 'Patches that PipeFusion cuts a picture into. Default: the pipefusion degree.',
  },
  {
    name: 'warmup_steps',
    type: 'integer',
    help: 'Steps of PipeFusion and DistriFusion on the whole picture. Default: 1.',
  },
  {
    name: 'attn_layer_num_for_pp',
    type: 'texts',
    value: 'N',
    help: 'Blocks of each stage of PipeFusion. Default: equal shares, or by device_weights.',
  },
  {
    name: 'use_distrifusion',
    type: 'flag',
    help: 'Ranks that share tokens work with the keys and values of the step before. Changes the picture a little.',
  },
  {
    name: 'use_parallel_vae',
    type: 'flag',
    help: 'All ranks of a picture decode it together, each a part of its rows.',
  },
  { name: 'vae_parallel_size', type: 'integer', help: 'The same with so many of them. Default: 1.' },
  {
    name: 'shard_dit',
    type: 'flag',
    help: 'Ranks that run the same blocks keep a share each of their weights, and gather a block before it runs.',
  },
  {
    name: 'shard_t5_encoder',
    type: 'flag',
    help: 'The same for the text encoder, among all ranks of a picture. Default: one of them has it.',
  },
  {
    name: 'device_weights',
    type: 'text',
    value: 'auto|A,B,…',
    help: "How fast each rank's device is, relative to the others, which its shares follow: measured, or given. Default: all alike.",
  },
]
