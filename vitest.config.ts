import { defineConfig } from 'vitest/config'
import { chooseVulkan } from './src/runtime/platform/software_vulkan.node.ts'

// Workers are processes that inherit this environment, so the fallback to a software Vulkan needs no second start here.
const vulkan = await chooseVulkan()
Object.assign(process.env, vulkan.env)
if (process.env.VITEST_MODE !== 'WATCH') console.log(`Vulkan: ${vulkan.why}`)

/** Files that compute in this process, and leave its state as they found it. */
const TOGETHER = [
  'caches',
  'cli/batch',
  'cli/serve',
  'models',
  'parallel',
  'pipelines',
  'runtime/ops',
  'runtime/weights',
  'schedulers',
  'server',
  'wgsl',
]

/** But those that put something in a module's place. */
const MOCKING = ['test/pipelines/image/write_file.test.ts']

const shared = {
  environment: 'node',
  pool: 'forks',
  testTimeout: 120_000, // ms; only to end what hangs: a software driver on a busy machine takes its time
  hookTimeout: 120_000,
} as const

const together = TOGETHER.map((folder) => `test/${folder}/**/*.test.ts`)

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      // One device for many files: a kernel is compiled once, which is most of what small tests take on a CPU.
      {
        test: {
          ...shared,
          ...{ name: 'together', include: together, exclude: MOCKING, isolate: false },
          setupFiles: ['test/support/leaves_nothing.ts'],
        },
      },
      { test: { ...shared, name: 'apart', include: ['test/**/*.test.ts'], exclude: together } },
      { test: { ...shared, name: 'mocking', include: MOCKING } },
    ],
  },
})
