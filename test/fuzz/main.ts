// npm run fuzz -- [--cases N] [--seed N] [--first N | --case N] [--only SUBJECT] [--keep FOLDER]
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chooseVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { makeCase } from './case.ts'
import { SUBJECTS } from './subjects/index.ts'
import { watch } from './watch.ts'

/** So many faults are shown; more of them say no more. */
const MOST_FAULTS = 20

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '2400' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    case: { type: 'string' },
    only: { type: 'string' },
    keep: { type: 'string' },
  },
})
const whole = (name: string, text: string, least: number): number => {
  if (/^\d+$/.test(text) && Number(text) >= least && Number.isSafeInteger(Number(text))) return Number(text)
  console.error(`--${name} is ${JSON.stringify(text)}, expected a whole number of at least ${least}`)
  process.exit(2)
}
const seed = whole('seed', values.seed, 0)
const first = whole('first', values.case ?? values.first, 0)
const cases = values.case === undefined ? whole('cases', values.cases, 1) : 1
const { only } = values
if (only !== undefined && !SUBJECTS.some(({ name }) => name === only)) {
  console.error(`--only is ${JSON.stringify(only)}, expected one of ${SUBJECTS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const outcomes: Record<string, number> = {}
let neutral = 0
let faults = 0
const begin = performance.now()
await watch({
  seed,
  only,
  first,
  cases,
  child: fileURLToPath(new URL('child.js', import.meta.url)),
  env: { ...process.env, ...(await chooseVulkan()).env },
  onReport(number, { fault, outcome = 'fault', neutral: meaningless }) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    if (meaningless) neutral++
    if (fault !== undefined && ++faults <= MOST_FAULTS) showFault(number, fault)
  },
})
const seconds = (performance.now() - begin) / 1000
const { answer = 0, fault = 0, ...errors } = outcomes
const refused = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`)
console.log(
  `fuzz, seed ${seed}: ${cases} cases in ${seconds.toFixed(1)} s (${Math.round(cases / seconds)} a second): ` +
    `${answer} answers (${neutral} cases without meaning had the intact one), errors: ${refused.join(', ') || 'none'}; ` +
    `${fault} faults`,
)
process.exitCode = faults > 0 ? 1 : 0

/** The case in words, and the command that repeats it. */
function showFault(number: number, fault: string): void {
  const { subject, variant, path, what, files } = makeCase(seed, number, only)
  const again = `npm run fuzz -- --seed ${seed} --case ${number}${only ? ` --only ${only}` : ''}`
  console.error(`\ncase ${number}, ${subject.name}: ${variant}, ${path}: ${what}\n  ${fault}\n  again: ${again}`)
  if (values.keep === undefined) {
    console.error(`  its files: ${again} --keep FOLDER`)
    return
  }
  for (const [name, bytes] of files) {
    const file = join(values.keep, `seed-${seed}-case-${number}`, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
  }
}
