// npm run test:kill-batch -- [--kills 20] [--rows 60] [--seed 1]
// Kills `webdit batch` on a small model with SIGKILL at random moments, and looks at what lies on the disk. Exits with 1 where
// something was lost, drawn twice or left half.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseVulkan } from '../../src/runtime/platform/software_vulkan.node.ts'
import { Random } from '../fuzz/random.ts'
import { batchTrial } from './batch_trial.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    rows: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'webdit-kill-batch-'))
const random = new Random(Number(values.seed), 0)
const flags = ['--height', '32', '--width', '32', '--no_use_resolution_binning', '--num_inference_steps', '1']
const model = resolve('test/fixtures/golden/pipeline_pixart_sigma')
const { done, faults } = await batchTrial({
  folder,
  rows: Number(values.rows),
  kills: Number(values.kills),
  random: () => random.next(),
  env: { ...process.env, ...(await chooseVulkan()).env },
  command: (table, pictures) => [
    ...[process.execPath, resolve('dist/cli.js'), 'batch', table, '--output_directory', pictures],
    ...['--model', model, ...flags],
  ],
})
for (const fault of faults) console.error(fault)
console.log(
  `killed ${values.kills} times, with ${done.join(', ')} of ${values.rows} rows done; ${faults.length} faults`,
)
rmSync(folder, { recursive: true })
process.exit(faults.length > 0 ? 1 : 0)
