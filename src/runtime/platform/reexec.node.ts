import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { currentRuntime } from './platform.ts'

const FORWARDED: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** What this process's program was started with: the runtime's own options, the script and the arguments. */
export function ownArguments(): string[] {
  if (currentRuntime() === 'node') return [...process.execArgv, ...process.argv.slice(1)]
  // Deno tells its own options (--config FILE, --no-prompt …) here alone.
  if (process.platform !== 'linux') return ['run', '-A', ...process.argv.slice(1)]
  const [, ...args] = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1)
  // Without a subcommand node:child_process would take them for Node's.
  return args[0] === 'run' ? args : ['run', ...args]
}

/** Runs this process's command line again with `env` added, and ends as that run ends, by its exit code or signal. */
export function reexec(env: Record<string, string>): Promise<never> {
  const child = spawn(process.execPath, ownArguments(), {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  // A terminal sends Ctrl-C to both processes by itself; sent on, the child would count two.
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      // Not child.kill: Deno takes its signal for how the child ended.
      if (!(atTerminal && signal === 'SIGINT')) process.kill(child.pid!, signal)
    })
  }
  return new Promise<never>((_, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (!signal) process.exit(code ?? 1)
      for (const name of FORWARDED) process.removeAllListeners(name)
      // Handlers of 'exit' do not run in a process that a signal ends.
      process.emit('exit', 1)
      process.kill(process.pid, signal)
    })
  })
}
