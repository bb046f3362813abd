import { ConfigReader } from '../../runtime/config_reader.ts'
import type { ShiftRange } from '../../schedulers/dynamic_shift.ts'

/** What scheduler_config.json says of how noise levels shift with the picture's size; where it is silent, the pipeline does. */
export function shiftRange(config: unknown, maxShift = 1.15): ShiftRange {
  const read = new ConfigReader(config, 'scheduler')
  return {
    baseImageSeqLen: read.number('base_image_seq_len', 256, 1),
    maxImageSeqLen: read.number('max_image_seq_len', 4096, 1),
    baseShift: read.number('base_shift', 0.5),
    maxShift: read.number('max_shift', maxShift),
  }
}
