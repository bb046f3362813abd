import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { dawnOptions } from '../dawn.node.ts'
import { runScript, type ScriptResult } from '../run_script.node.ts'
import { plainVulkan } from '../vulkan_probe.node.ts'

/** No adapter has this name, and Dawn's complaint lists those that there are, in the order in which it looks for one. */
const NOBODY = '\u0001'
const LINE = /^ \* backend: '(.*)', name: '(.*)'$/gm

/** Asks Dawn for a device in a process of its own, which then writes the names of all, and the layer what it is told to. */
export function askDawn(env: NodeJS.ProcessEnv, timeout: number): Promise<ScriptResult> {
  const webgpu = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href
  const options = JSON.stringify([...dawnOptions(), `adapter=${NOBODY}`])
  // `gpu` is named at the end, so that it lives until then.
  const script = `import { create } from '${webgpu}'; const gpu = create(${options});
await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(({ message }) => console.log(message));
process.exit(gpu ? 0 : 1)`
  return runScript(script, { ...env, ...plainVulkan(env) }, timeout)
}

/** A name for each adapter; those of the first graphics API alone, for each API lists the same cards again. */
export function parseNames(stdout: string): string[] {
  const found = [...stdout.matchAll(LINE)].map(([, api, name]) => ({ api, name }))
  const api = found.find((one) => one.api === 'd3d12')?.api ?? found[0]?.api
  return found.filter((one) => one.api === api).map(({ name }) => name)
}
