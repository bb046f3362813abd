import { lengthOf, type Part, type Pass } from '../cost/part.ts'
import { total, type Workload } from '../cost/workload.ts'
import { type Machine, short, type Term } from './machine.ts'

/**
 * Seconds of the linear layers and of the attention of a pass. Ranks that share the image's tokens have all of the text:
 * each takes it through its linear layers, and lets its queries attend beside those of the image, with the heads it has.
 */
export function computing(
  part: Part,
  pass: Pass,
  workload: Workload,
  machine: Machine,
): [linear: Term, attention: Term] {
  const { mesh, speeds } = part
  const relative = speeds[mesh.rank] / Math.max(...speeds)
  return [
    linearTerm(part, pass, workload, machine.linear * relative),
    attentionTerm(part, pass, workload, machine, relative),
  ]
}

function linearTerm({ batch, stage, work, heads, at }: Part, pass: Pass, workload: Workload, rate: number): Term {
  const { textTokens = 0 } = workload
  const { flops, undivided } = work
  const blocks = lengthOf(stage)
  const tokens = pass.tokens[at]
  const divided = tokens * (flops.image - undivided) + textTokens * flops.text
  const flop = batch * ((divided * heads) / workload.heads + tokens * undivided)
  const each = (tokens: number, flops: number) => `${tokens} tokens x ${short(flops / blocks)} FLOP`
  const all = [
    each(tokens, flops.image - undivided),
    ...(textTokens > 0 ? [`${each(textTokens, flops.text)} of the text`] : []),
  ].join(' + ')
  const whole = undivided > 0 ? ` + ${each(tokens, undivided)}` : ''
  return {
    what: 'linear layers',
    value: flop / rate,
    formula: `${batch} x ${blocks} blocks x ((${all}) x ${heads}/${workload.heads} heads${whole}) / ${short(rate)} FLOP/s`,
  }
}

function attentionTerm(part: Part, pass: Pass, workload: Workload, machine: Machine, relative: number): Term {
  const { mesh, batch, work, heads, ulyssesHeads, at, keeps, config } = part
  const { headDim, grid, textTokens = 0 } = workload
  const { image, joint } = work.attentions
  const ulysses = mesh.at('ulysses')
  const group = pass.tokens.slice(at - ulysses, at - ulysses + mesh.degree('ulysses'))
  const queries = config.distrifusion ? pass.tokens[at] : total(group)
  const keys = keeps || config.distrifusion ? grid.rows * grid.columns : total(pass.tokens)
  const own = config.distrifusion ? heads : ulyssesHeads[ulysses]
  // Queries by keys, and keys by values.
  const perPair = 4 * headDim * own
  const sites = [
    { count: image, queries, keys },
    { count: joint, queries: queries + textTokens, keys: keys + textTokens },
  ].filter(({ count }) => count > 0)
  const pairs = total(sites.map((site) => site.count * site.queries * site.keys))
  const passed = total(sites.map((site) => site.count * site.keys))
  const rate = machine.attention * relative
  const said = sites.map((site) => `${site.count} x ${site.queries} queries x ${site.keys} keys`).join(' + ')
  return {
    what: 'attention',
    value: Math.max((batch * pairs * perPair) / rate, (passed * machine.perKey) / relative),
    formula: `max(${batch} x (${said}) x ${own} heads x ${4 * headDim} FLOP / ${short(rate)} FLOP/s, ${passed} keys x ${short(machine.perKey / relative)} s)`,
  }
}
