import { NETWORKS, type NetworkClass, readJson } from '../../models/component.ts'
import { isGgufFile } from '../../runtime/weights/gguf/checkpoint.ts'
import { readGgufHeader } from '../../runtime/weights/gguf/header.ts'
import type { Parameters } from '../../runtime/weights/parameters.ts'
import { joinPath, type Source } from '../../runtime/weights/source.ts'

/** How a safetensors file starts: the length of its header, little-endian. */
const PREFIX_BYTES = 8

/**
 * A checkpoint of which everything is read but the weights: their files' headers are, what stands behind is not. A
 * folder without weight files (somebody fetched the JSON alone) gets those that its config.json calls for.
 *
 * @param networks the pipeline's networks, by their folders
 * @param variant what will be asked for: where no folder has weight files, it is taken to be there
 */
export async function paperSource(
  source: Source,
  networks: Readonly<Record<string, NetworkClass>>,
  variant?: string,
): Promise<PaperSource> {
  const files = await Promise.all(Object.keys(networks).map((folder) => source.list?.(folder)))
  const lacking = Object.entries(networks).filter((_, i) => files[i] && !files[i].some(isWeights))
  const mark = variant !== undefined && lacking.length === files.length ? `.${variant}` : ''
  const made = new Map<string, PaperFile>()
  for (const [folder, className] of lacking) {
    const network = NETWORKS[className] as unknown as {
      parameters(config: unknown): Parameters
    } & typeof NETWORKS.T5EncoderModel
    const config = network.config(await readJson(source, joinPath(folder, 'config.json')))
    made.set(joinPath(folder, `${network.stem}${mark}.safetensors`), paperFile(network.parameters(config)))
  }
  const headers = headersOnly(source)
  return {
    ...headers,
    withoutWeights: [...made.keys()],
    size: async (path) => made.get(path)?.size ?? headers.size(path),
    exists: async (path) => made.has(path) || headers.exists(path),
    async readInto(path, offset, target) {
      const file = made.get(path)
      if (!file) return headers.readInto(path, offset, target)
      target.set(file.header.subarray(offset, offset + target.byteLength))
    },
  }
}

const isWeights = (file: string): boolean => /\.(safetensors|bin)(\..*json)?$/.test(file)

export interface PaperSource extends Source {
  /** Weight files that are not there. */
  readonly withoutWeights: readonly string[]
}

interface PaperFile {
  readonly header: Uint8Array
  /** Bytes of the whole file. */
  readonly size: number
}

/** What a safetensors file of these parameters would be, in f16. */
function paperFile({ all }: Parameters): PaperFile {
  let end = 0
  const entries = [...all].map(([name, { shape }]) => {
    const begin = end
    end += shape.reduce((a, b) => a * b, 2)
    return [name, { dtype: 'F16', shape, data_offsets: [begin, end] }]
  })
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const header = new Uint8Array(PREFIX_BYTES + json.byteLength)
  new DataView(header.buffer).setBigUint64(0, BigInt(json.byteLength), true)
  header.set(json, PREFIX_BYTES)
  return { header, size: header.byteLength + end }
}

/** Leaves targets as they are where tensors would be read. */
export function headersOnly(source: Source): Source {
  const headerEnds = new Map<string, number>()
  return {
    ...source,
    headersOnly: true,
    async readInto(path, offset, target) {
      if (isGgufFile(path) && !headerEnds.has(path)) {
        headerEnds.set(path, (await readGgufHeader({ source, path })).dataBegin)
      }
      if (offset >= (headerEnds.get(path) ?? Number.POSITIVE_INFINITY)) return
      await source.readInto(path, offset, target)
      if (offset === 0 && path.endsWith('.safetensors')) {
        const declared = new DataView(target.buffer, target.byteOffset).getBigUint64(0, true)
        headerEnds.set(path, PREFIX_BYTES + Number(declared))
      }
    },
  }
}
