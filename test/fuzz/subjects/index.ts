import { gguf } from './gguf.ts'
import { http } from './http.ts'
import { modelIndex, preview } from './model_folder.ts'
import { networks } from './networks.ts'
import { pipeline } from './pipeline.ts'
import { safetensors, shards } from './safetensors.ts'
import { schedulers } from './schedulers.ts'
import type { Subject } from './subject.ts'
import { tokenizers } from './tokenizers.ts'

/** What is fuzzed on the host, each as often as it is here. */
const HOST = [
  ...[safetensors, safetensors, safetensors, shards, shards, gguf, gguf],
  ...[networks, networks, networks, schedulers, schedulers, tokenizers, tokenizers, tokenizers],
  ...[modelIndex, preview],
]

/** Cases of their own: `--only http`. */
export const SUBJECTS: readonly Subject[] = [...new Set(HOST), http, pipeline]

/** One case in this many is loaded onto the device and drawn. */
export const DEVICE_EVERY = HOST.length + 1

/** The subject of a case's number. */
export function subjectOf(number: number): Subject {
  return [...HOST, pipeline][number % DEVICE_EVERY]
}
