import type { NodeInfo } from '../../cluster/node/node_info.ts'

/** A clock that differs by less is shown as the server's own, in ms. */
const SKEW = 1_000

const HEAD = ['node', 'state', 'model', 'digest', 'devices', 'memory', 'TFLOPS', 'link', 'done', 'version', 'clock']

/** Nodes as people read them. */
export function nodesTable(nodes: readonly NodeInfo[]): string[] {
  if (nodes.length === 0) return ['no node is there']
  const rows = [HEAD, ...nodes.map(row)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
}

function row(node: NodeInfo): string[] {
  const { id, state, model, memory, flops, link, done, version, skew } = node
  return [
    id,
    state,
    model.name,
    model.digest.slice(0, 8),
    devicesText(node),
    memory.device === undefined ? `${gigabytes(memory.host)} host` : gigabytes(memory.device),
    (flops / 1e12).toPrecision(2),
    `${(link.bandwidth / 1e6).toFixed(0)} MB/s ${(link.latency * 1e3).toFixed(1)} ms`,
    String(done),
    version,
    Math.abs(skew) < SKEW ? 'ok' : `${skew > 0 ? '+' : ''}${(skew / 1e3).toFixed(1)} s`,
  ]
}

function devicesText({ devices, ranks, meshes, lends }: NodeInfo): string {
  const names = [...new Set(devices)].join(', ') || 'unknown'
  if (lends) return `lends ${lends.ranks} on ${names}`
  if (ranks * meshes === 1) return names
  return `${meshes > 1 ? `${meshes} x ` : ''}${ranks} ${ranks === 1 ? 'rank' : 'ranks'} on ${names}`
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
