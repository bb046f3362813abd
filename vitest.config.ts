import { defineConfig } from 'vitest/config'
import { chooseVulkan } from './src/runtime/platform/software_vulkan.node.ts'

// Workers are processes that inherit this environment, so the fallback to a software Vulkan needs no second start here.
const vulkan = await chooseVulkan()
Object.assign(process.env, vulkan.env)
if (process.env.VITEST_MODE !== 'WATCH') console.log(`Vulkan: ${vulkan.why}`)

export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000, // ms; only to end what hangs: a software driver on a busy machine takes its time
    hookTimeout: 120_000,
  },
})
