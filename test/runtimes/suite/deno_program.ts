// deno run -A deno_program.ts MODEL: prints what the suite finds, as JSON.
import { ensureVulkan } from '../../../src/runtime/platform/software_vulkan.node.ts'
import { runSuite } from './suite.ts'

await ensureVulkan()
console.log(JSON.stringify(await runSuite(process.argv[2])))
