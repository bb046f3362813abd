import { type BlockStack, type Execution, throughBlocks } from '../../runtime/execution.ts'
import { linear, patchify, type Rotary } from '../../runtime/ops/index.ts'
import type { Recorder } from '../../runtime/recorder.ts'
import type { Tensor } from '../../runtime/tensor.ts'
import type { Weights } from '../../runtime/weights/weights.ts'
import { projectOut } from '../mmdit/output.ts'
import { attentionInput, hunyuanDiTBlock } from './block.ts'
import { stepConditions } from './conditions.ts'
import type { HunyuanDiTConfig } from './config.ts'
import { givesSkip, skipsAcross, takesSkip } from './skips.ts'
import type { HunyuanDiTText } from './text.ts'

export interface HunyuanDiTInputs {
  /** [pictures, inChannels, height, width], on the first stage; fewer pictures than the text's batch repeat (guidance). */
  readonly latents?: Tensor
  /** Between stages, from the stage before: hidden states and the skips that are still to be taken, as it gave them. */
  readonly activations?: readonly Tensor[]
  /** Of each batch entry. */
  readonly timesteps: ArrayLike<number>
  readonly text: HunyuanDiTText
  /** Of the whole picture. */
  readonly rotary?: Rotary
}

/**
 * HunyuanDiT2DModel (Li et al. 2024; diffusers hunyuan_transformer_2d.py).
 *
 * @returns on the last stage the predicted patches [batch, tokens, patch² · outChannels]; before it, hidden states and
 * skips, [batch, tokens, width] each
 */
export async function hunyuanDiTTransformer(
  g: Recorder,
  c: HunyuanDiTConfig,
  w: Weights,
  { latents, activations, timesteps, text, rotary }: HunyuanDiTInputs,
  execution: Execution,
): Promise<readonly Tensor[]> {
  const { blocks, tokens } = execution
  const conditions = await g.scope(() => stepConditions(g, w.at('time_extra_emb'), timesteps, text.extra))
  const stack: BlockStack = {
    async run(first, end, entering, spent) {
      const given = new Set(spent ? entering.slice(1) : entering)
      const skips = new Map(skipsAcross(c.layers, first).map((from, k) => [from, entering[k + 1]]))
      let x = entering[0]
      if (givesSkip(c.layers, first - 1)) skips.set(first - 1, x)
      for (let i = first; i < end; i++) {
        const key = `blocks.${i}`
        const from = takesSkip(c.layers, i)
        const skip = from === undefined ? undefined : skips.get(from)
        const inputs = { x, skip, conditions, keys: text.keys[i], values: text.values[i], rotary }
        const next = await w
          .at(key)
          .using(g, (own) => g.scope(() => hunyuanDiTBlock(g, key, c.headDim, own, inputs, execution)))
        // Where ranks exchange in the midst of a pass, it would last as long as that.
        for (const used of [givesSkip(c.layers, i - 1) ? undefined : x, skip])
          if (used && !given.has(used)) g.release(used)
        if (from !== undefined) skips.delete(from)
        if (givesSkip(c.layers, i)) skips.set(i, next)
        x = next
      }
      return [x, ...skipsAcross(c.layers, end).map((from) => skips.get(from)!)]
    },
    firstInput: (x) => w.at('blocks.0').using(g, async (own) => attentionInput(g, own, x, conditions, 'stream')),
  }
  const embed = () =>
    g.scope(() => {
      const patches = patchify(g, latents!, { patch: c.patch, batch: timesteps.length, ...tokens })
      return linear(g, patches, w.affine('pos_embed.proj'))
    })
  const [x, ...skips] = await throughBlocks(g, execution, activations ?? [await embed()], stack)
  if (blocks.tail) return [projectOut(g, w, x, conditions)]
  // Where blocks were spared nobody takes their skips; the next stage waits for as many all the same.
  return [x, ...skipsAcross(c.layers, blocks.end).map((_, k) => skips[k] ?? x)]
}
