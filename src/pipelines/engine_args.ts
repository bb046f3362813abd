import { checkParallelConfig } from '../parallel/config/check.ts'
import { PARALLEL_FLAGS } from '../parallel/config/flags.ts'
import type { ParallelConfig } from '../parallel/config/parallel_config.ts'
import { readParallelArgs } from '../parallel/config/read_config.ts'
import { REFUSED_FLAGS } from '../parallel/config/xdit_flags.ts'
import { type OptionSpec, type ParsedArgs, UsageError } from '../runtime/command_line/option.ts'
import { parseArgs } from '../runtime/command_line/parse_args.ts'
import { DitError } from '../runtime/errors.ts'
import { REQUEST_FLAGS, readCall } from './request_flags.ts'
import type { TeamKind } from './team/start_team.ts'
import type { TeamOptions } from './team/team.ts'

/** Which model, and how it is divided. */
export interface EngineConfig {
  /** A diffusers folder. */
  readonly model: string
  readonly variant: string | undefined
  readonly parallel: ParallelConfig
  /** Where ranks run; the runtime's best unless it was said. */
  readonly kind: TeamKind | undefined
}

/** What is drawn. */
export interface InputConfig {
  readonly prompt: string[]
  /** As pipelines take it. */
  readonly call: Omit<TeamOptions, 'onStep' | 'signal'>
}

const FLAGS: readonly OptionSpec[] = [...REQUEST_FLAGS, ...PARALLEL_FLAGS, ...REFUSED_FLAGS]

/** A command line in xDiT's flags, as xFuserArgs: dashes and underscores alike. */
export class EngineArgs {
  readonly #args: ParsedArgs

  private constructor(args: ParsedArgs) {
    this.#args = args
  }

  /** @throws DitError 'bad-argument' for flags that there are not, that mean nothing here, or whose value is none */
  static fromFlags(argv: readonly string[]): EngineArgs {
    return told(() => new EngineArgs(parseArgs(argv, FLAGS, false)))
  }

  /** @throws DitError 'bad-argument' for a missing model, and for degrees that do not go together */
  createConfig(): { engineConfig: EngineConfig; inputConfig: InputConfig } {
    return told(() => {
      const args = this.#args
      const model = args.text('model')
      if (model === undefined) throw new UsageError('a model is needed: --model FOLDER')
      const { config, devices, choose, workers } = readParallelArgs(args)
      if (choose) {
        const hint =
          'Give degrees, such as --ulysses_degree 2; planMeshes and webdit plan --devices tell which are fastest.'
        throw new UsageError(`--devices ${devices} alone says not how to divide the work`, hint)
      }
      checkParallelConfig(config, devices === 'auto' ? undefined : devices)
      return {
        engineConfig: { model, variant: args.text('variant'), parallel: config, kind: workers },
        inputConfig: { prompt: args.texts('prompt'), call: { ...readCall(args), seed: args.number('seed') } },
      }
    })
  }
}

function told<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UsageError) throw new DitError('bad-argument', error.message, error.hint)
    throw error
  }
}
