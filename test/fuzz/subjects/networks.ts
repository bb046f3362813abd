import { NETWORKS, type NetworkClass, readJson } from '../../../src/models/component.ts'
import { openCheckpoint } from '../../../src/runtime/weights/checkpoint.ts'
import { matchNames } from '../../../src/runtime/weights/match_names.ts'
import { memorySource } from '../../../src/runtime/weights/memory_source.ts'
import { folder, GOLDEN, mutateFile } from '../fixtures.ts'
import type { Subject } from './subject.ts'

/** Components' folders by the class that it is of. */
const CASES: Record<string, NetworkClass> = {
  text_encoder: 'T5EncoderModel',
  text_clip_small_projection: 'CLIPTextModelWithProjection',
  text_bert_small: 'BertModel',
  transformer: 'PixArtTransformer2DModel',
  vae: 'AutoencoderKL',
}

/** Every case's files, by their paths: those of the pipeline, and of networks that are cases of their own. */
const ALL = new Map([
  ...folder(`${GOLDEN}/pipeline_pixart_sigma`),
  ...['text_clip_small_projection', 'text_bert_small'].flatMap((name) =>
    [...folder(`${GOLDEN}/${name}`)].map(([path, bytes]) => [`${name}/${path}`, bytes] as const),
  ),
])

/** A network's config.json and its weights, as far as nothing is loaded: the config, and every tensor's place. */
export const networks: Subject = {
  name: 'networks',
  variants: Object.keys(CASES),
  files: (dir) => new Map([...ALL].filter(([path]) => path.startsWith(`${dir}/`))),
  mutate: mutateFile,
  async run(files, dir) {
    const source = memorySource(files)
    const network = NETWORKS[CASES[dir]]
    const config = network.config(await readJson(source, `${dir}/config.json`))
    const checkpoint = await openCheckpoint(source, dir, network.stem)
    const { all } = network.parameters(config as never)
    matchNames(new Map([...all].map(([name, p]) => [name, p.shape])), checkpoint, { ignore: network.ignore })
    return [config, [...all.keys()].map((name) => [name, checkpoint.entry(name).tensor.dtype])]
  },
}
