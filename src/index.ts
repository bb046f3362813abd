export { ON_ONE_DEVICE, type ParallelConfig } from './parallel/config/parallel_config.ts'
export { type Degrees, ONE_RANK } from './parallel/mesh/mesh.ts'
export type { WeightFormats } from './pipelines/component_formats.ts'
export {
  DiffusionPipeline,
  type FromPretrainedOptions,
  type Pipeline,
} from './pipelines/diffusion_pipeline.ts'
export { EngineArgs, type EngineConfig, type InputConfig } from './pipelines/engine_args.ts'
export { DitImage } from './pipelines/image/image.ts'
export type { LoraInput, LoraOptions } from './pipelines/loras/lora_options.ts'
export { type MemoryPlan, type OffloadLevel, type PlanOptions, planMemory } from './pipelines/memory_plan/plan.ts'
export { type MeasuredMachine, type MeasureOptions, measureMachine } from './pipelines/mesh_plan/measure_machine.ts'
export { type MeshPlan, type MeshPlanOptions, planMeshes } from './pipelines/mesh_plan/plan_meshes.ts'
export type { PipelineOptions, PipelineOutput, StepInfo } from './pipelines/options.ts'
export { type ParallelPipeline, parallelize } from './pipelines/parallelize.ts'
export type { RankImage, RankOutput, RankStep } from './pipelines/rank.ts'
export type { OnDeviceLoss, Resumed } from './pipelines/resume/resumed.ts'
export { type Rank, type RankOptions, startRank } from './pipelines/start_rank.ts'
export { type StartTeamOptions, startTeam, type TeamKind } from './pipelines/team/start_team.ts'
export type { Team, TeamOptions, TeamStep } from './pipelines/team/team.ts'
export { Device, type DeviceOptions } from './runtime/device.ts'
export { DitError, type DitErrorKind } from './runtime/errors.ts'
export { type DeviceTraits, traitsOf } from './runtime/paper_device.ts'
export { assignCards, type CardAssignment } from './runtime/platform/cards/assign_cards.ts'
export type { Card, CardReport, CardSelection } from './runtime/platform/cards/card.ts'
export { type CardOptions, listCards } from './runtime/platform/cards/list_cards.ts'
export { type GpuPlatform, openPlatform, type PlatformOptions } from './runtime/platform/platform.ts'
export {
  chromeTrace,
  type KernelProfile,
  type PhaseProfile,
  type Profile,
  type ProfileEvent,
} from './runtime/profiling/profile.ts'
export { Profiler } from './runtime/profiling/profiler.ts'
export { type HttpSourceOptions, httpSource } from './runtime/weights/http_source.ts'
export { memorySource } from './runtime/weights/memory_source.ts'
export type { Source } from './runtime/weights/source.ts'
