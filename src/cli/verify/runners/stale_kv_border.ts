import type { Family, ReadTexts } from '../../../pipelines/family.ts'
import type { Execution } from '../../../runtime/execution.ts'

/**
 * A family whose later patches take the text of the first one only where a stage begins, and carry their own from there on:
 * how xDiT draws FLUX. The picture then depends on the stages, so webdit draws it nowhere else.
 */
export const textAtStageBorders = (family: Family): Family => ({
  ...family,
  readTexts(...call) {
    const read = family.readTexts(...call)
    return { ...read, network: (g, batch) => bordered(read, g, batch) }
  },
})

async function bordered(read: ReadTexts, ...call: Parameters<ReadTexts['network']>): ReturnType<ReadTexts['network']> {
  const { network, keeps } = await read.network(...call)
  return {
    keeps,
    network: {
      ...network,
      forward: (g, inputs, execution) => network.forward(g, inputs, enteringOnce(execution)),
    },
  }
}

/** Of a pass through a stage's blocks, the first alone is entered by the rule. */
function enteringOnce(execution: Execution): Execution {
  let entered = false
  return {
    ...execution,
    enter(g, block, text) {
      if (entered) return text!
      entered = true
      return execution.enter(g, block, text)
    },
  }
}
