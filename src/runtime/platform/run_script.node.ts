import { spawn } from 'node:child_process'
import { currentRuntime } from './platform.ts'

export interface ScriptResult {
  readonly stdout: string
  readonly stderr: string
  /** How it ended, for people: 'exit code 0'. */
  readonly ended: string
}

/** Runs a module, given as text, in a process of this runtime, and ends it after `timeout` ms. Never rejects. */
export async function runScript(script: string, env: NodeJS.ProcessEnv, timeout: number): Promise<ScriptResult> {
  const evaluate = currentRuntime() === 'deno' ? ['eval', script] : ['--input-type=module', '-e', script]
  const child = spawn(process.execPath, evaluate, {
    env: { ...env, NODE_OPTIONS: '', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeout)
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => {
      if (late) resolve(`no answer in ${timeout / 1000} s`)
      else resolve(signal ? `the driver died of ${signal}` : `exit code ${code}`)
    })
  })
  clearTimeout(timer)
  return { stdout, stderr, ended }
}
