import type { Source } from '../../runtime/weights/source.ts'
import type { CliIo, ParsedArgs } from '../command.ts'
import { deviceChoice } from '../device_options.ts'
import type { Loading } from '../generate/drawing.ts'
import { readLoras, readOffload, readOnDeviceLoss, readTextEncoders, readWeights } from '../generate/settings.ts'

/** What a command line says of a model that is loaded once and draws whatever is asked for. */
export function loadingOf(args: ParsedArgs, io: CliIo, source: Source, model: string): Loading {
  return {
    source,
    model,
    variant: args.text('variant'),
    transformer: args.text('transformer'),
    textEncoders: readTextEncoders(args),
    offload: readOffload(args),
    onDeviceLoss: readOnDeviceLoss(args),
    weights: readWeights(args),
    loras: readLoras(args),
    imageToImage: false,
    choice: deviceChoice(args),
    traced: false,
    io,
  }
}
