import { DitError } from '../errors.ts'
import { show } from '../show.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Dtype } from './dtypes.ts'

/** How many names of each kind an error shows. */
const SHOWN = 8

/** Element types that weights can have. */
const WEIGHT_DTYPES: readonly Dtype[] = ['F32', 'F16', 'BF16']

export interface MatchOptions {
  /** Names that may be in the checkpoint though the model has no use for them. */
  ignore?: RegExp[]
}

/**
 * Checks a checkpoint against the tensors that a model is made of, both ways, before anything is loaded.
 * @param expected tensor name to shape
 * @throws DitError 'corrupt' listing whatever is missing, unexpected, or of a wrong shape or dtype
 */
export function matchNames(expected: Map<string, number[]>, checkpoint: Checkpoint, options: MatchOptions = {}): void {
  const missing: string[] = []
  const wrong: string[] = []
  for (const [name, shape] of expected) {
    if (!checkpoint.has(name)) {
      missing.push(name)
      continue
    }
    const { tensor } = checkpoint.entry(name)
    if (tensor.shape.join() !== shape.join()) {
      wrong.push(`${name} is ${show(tensor.shape)}, expected ${show(shape)}`)
    } else if (!WEIGHT_DTYPES.includes(tensor.dtype)) {
      wrong.push(`${name} is ${tensor.dtype}, expected ${WEIGHT_DTYPES.join(', ')}`)
    }
  }
  const unexpected = checkpoint
    .names()
    .filter((name) => !expected.has(name) && !options.ignore?.some((pattern) => pattern.test(name)))

  const faults = [listed('missing', missing), listed('unexpected', unexpected), listed('wrong shape or dtype', wrong)]
  if (missing.length + unexpected.length + wrong.length === 0) return
  throw new DitError(
    'corrupt',
    `the weights in ${checkpoint.where} are not those of the model in config.json: ${faults.filter(Boolean).join('; ')}`,
    'Check that config.json and the weights are of the same model.',
  )
}

/** A file's own name for a tensor may be anything: quoted and cut unless it is an ordinary one. */
const plain = (name: string): string => (/^[ -~]{1,200}$/.test(name) ? name : show(name))

/** What is wrong with so many names, and the first of them; '' for none. */
export function listed(fault: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''
  return `${fault} (${names.length}): ${names.slice(0, SHOWN).map(plain).join(', ')}${more}`
}
