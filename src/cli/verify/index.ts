import { type Command, type OpenedDevice, UsageError } from '../command.ts'
import { DEVICE_OPTIONS, deviceChoice } from '../device_options.ts'
import { HEADER, jsonOf, summaryLine, tableOf } from './report.ts'
import { type RunReport, summarize, verify } from './verify.ts'

/** Computes cases whose results are known, and says how far webdit is from them on this device. */
export const verifyCommand: Command = {
  name: 'verify',
  summary: 'check on this device that results equal those of diffusers',
  usage: 'FOLDER… [flags]',
  description: `Runs oracle cases: inputs with the outputs that diffusers and transformers computed from them. A FOLDER is a case
(it has a meta.json), a folder of cases, or the golden/ folder of a trained model. Each output's error is printed beside
what the case tolerates; what webdit cannot compute yet is listed and counted as unsupported.
The exit code is 1 if an output is over its tolerance, is not a number or has another shape, or if a run fails.

The tier is f32, as the cases were made, unless --tier f16 is given. Then what is allowed is 1 dB more than what diffusers
itself loses in float16, for the cases where that was measured (float16.json).

  webdit verify models/emoji-pixart/golden
  webdit verify test/fixtures/golden --filter vae`,
  options: [
    { name: 'filter', type: 'text', value: 'TEXT', help: 'only runs that have this in CASE/RUN' },
    { name: 'skip', type: 'text', value: 'TEXT', help: 'not those that have this' },
    {
      name: 'model',
      type: 'text',
      value: 'FOLDER',
      help: "checkpoint of a trained model's cases; default: the one above",
    },
    { name: 'json', type: 'flag', help: 'print every output as JSON instead of a table' },
    ...DEVICE_OPTIONS,
  ],
  positionals: true,
  needsDevice: true,

  async run(args, io) {
    if (args.positionals.length === 0) throw new UsageError('verify needs a folder of cases')
    const json = args.has('json')
    const reports: RunReport[] = []
    let opening: Promise<OpenedDevice> | undefined
    const device = () => {
      opening ??= io.openDevice({ ...deviceChoice(args), tier: deviceChoice(args).tier ?? 'f32' })
      return opening
    }
    try {
      await verify(args.positionals, {
        model: args.text('model'),
        filter: args.text('filter'),
        skip: args.text('skip'),
        device: async () => (await device()).device,
        signal: io.signal,
        onStart: (title) => io.status(title),
        onRun(report) {
          if (!json && reports.length === 0) io.print(HEADER)
          reports.push(report)
          if (!json) for (const line of tableOf(report)) io.print(line)
        },
      })
      io.status('')
      const summary = summarize(reports)
      io.print(json ? jsonOf(await nameOf(opening), reports, summary) : summaryLine(summary))
      return summary.ok ? 0 : 1
    } finally {
      if (opening) (await opening).close()
    }
  },
}

const nameOf = async (opening: Promise<OpenedDevice> | undefined) => (await opening)?.device.name
