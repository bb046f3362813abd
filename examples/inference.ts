// xDiT's examples/pixartsigma_example.py, step by step, in TypeScript:
//   npm run example -- inference --prompt "red apple" --ulysses_degree 2 --use_cfg_parallel
// It takes xDiT's flags; examples/README.md has more commands.
import { mkdirSync } from 'node:fs'
import { DitError, EngineArgs, parallelize } from 'webdit'
import { ensureVulkan } from 'webdit/vulkan'

async function main(): Promise<void> {
  // parser = FlexibleArgumentParser(...); engine_args = xFuserArgs.from_cli_args(args)
  const engineArgs = EngineArgs.fromFlags(process.argv.slice(2))
  // engine_config, input_config = engine_args.create_config()
  const { engineConfig, inputConfig } = engineArgs.createConfig()

  // No torch.distributed, no cuda:{local_rank}: the ranks start below, each on the next card. A machine without a GPU computes
  // with a software Vulkan.
  await ensureVulkan()

  // pipe = xFuserPixArtSigmaPipeline.from_pretrained(model, engine_config=engine_config)
  // A pipeline that is loaded already does as well as its folder; the folder saves loading it twice.
  const pipe = await parallelize(engineConfig.model, engineConfig, { onNote: (line) => console.error(line) })
  try {
    // pipe.prepare_run(input_config)
    await pipe(inputConfig.prompt, { ...inputConfig.call, numInferenceSteps: 1, outputType: 'latent' })

    // output = pipe(height=..., width=..., prompt=input_config.prompt, ...)
    const start = performance.now()
    const { images, warnings } = await pipe(inputConfig.prompt, inputConfig.call)
    const elapsed = (performance.now() - start) / 1000
    for (const warning of warnings) console.error(`warning: ${warning}`)

    // if pipe.is_dp_last_group(): image.save(...)
    // Pictures of all data-parallel groups come together, in the order of the prompts.
    const { degrees, numPipelinePatch } = engineConfig.parallel
    const parallelInfo = `dp${degrees.data}_cfg${degrees.cfg}_ulysses${degrees.ulysses}_ring${degrees.ring}_pp${degrees.pipefusion}_patch${numPipelinePatch}`
    mkdirSync('results', { recursive: true })
    for (const [i, image] of images.entries()) {
      const path = `results/pixart_result_${parallelInfo}_${i}.png`
      await image.save(path)
      console.log(`image ${i} saved to ${path}`)
    }

    // if get_world_group().rank == get_world_group().world_size - 1: print(...)
    console.log(`epoch time: ${elapsed.toFixed(2)} sec on ${pipe.team.size} ranks`)
  } finally {
    // get_runtime_state().destroy_distributed_env()
    await pipe.dispose()
  }
}

main().catch((error) => {
  // What was wrong, and what to do about it.
  console.error(error instanceof DitError ? [error.message, error.hint].filter(Boolean).join('\n  ') : error)
  process.exitCode = 1
})
