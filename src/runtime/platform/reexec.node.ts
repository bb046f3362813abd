import { spawn } from 'node:child_process'

const FORWARDED: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Runs this process's command line again with `env` added, and ends as that run ends, by its exit code or signal. */
export function reexec(env: Record<string, string>): Promise<never> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  // A terminal sends Ctrl-C to both processes by itself; sent on, the child would count two.
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      if (!(atTerminal && signal === 'SIGINT')) child.kill(signal)
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
