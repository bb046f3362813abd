// node site/traces.mjs: draws on this machine, and keeps who computed what when as docs/pictures/NAME.svg.  Needs dist/: npm run build.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const PICTURES = fileURLToPath(new URL('../docs/pictures/', import.meta.url))

const CALL = ['--prompt', 'red apple', '--seed', '42', '--num_inference_steps', '5']
const RUNS = {
  'pipefusion-2': ['--pipefusion_parallel_degree', '2', '--num_pipeline_patch', '4'],
  'pipefusion-4': ['--pipefusion_parallel_degree', '4', '--num_pipeline_patch', '4'],
  'ulysses-2': ['--ulysses_degree', '2'],
}

const folder = mkdtempSync(join(tmpdir(), 'webdit-traces-'))
mkdirSync(PICTURES, { recursive: true })
for (const [name, mesh] of Object.entries(RUNS)) {
  const trace = join(folder, `${name}.json`)
  const args = ['generate', ...CALL, ...mesh, '--trace', trace, '--output_directory', folder]
  execFileSync(process.execPath, [CLI, ...args], { stdio: 'inherit' })
  copyFileSync(join(folder, `${name}.svg`), join(PICTURES, `${name}.svg`))
}
rmSync(folder, { recursive: true })
