import { DitError } from '../runtime/errors.ts'
import { show } from '../runtime/show.ts'

/** What a cluster is called where nobody says otherwise. */
export const DEFAULT_CLUSTER = 'webdit'

/** How all that a cluster has on a server is called: several may share a server. */
export interface Names {
  /** The stream that is the queue of jobs. */
  readonly queue: string
  /** Where jobs for a model wait. */
  jobs(digest: string): string
  /** The queue's consumer that all nodes with that model share. */
  consumer(digest: string): string
  /** What is heard of a job while it is drawn, and that it is done. */
  news(job: string): string
  /** That nobody wants a job any more. */
  cancel(job: string): string
  /** What a node that lends ranks hears, whoever has them, and ranks of a mesh from each other. */
  lender(node: string): string
  leader(mesh: string): string
  mesh(mesh: string): string
  readonly buckets: {
    readonly nodes: string
    readonly models: string
    readonly results: string
    readonly objects: string
  }
}

/** @throws DitError 'bad-argument' */
export function namesOf(cluster: string): Names {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/i.test(cluster)) {
    throw new DitError(
      'bad-argument',
      `the cluster is called ${show(cluster)}, expected up to 32 letters, digits and dashes`,
    )
  }
  return {
    queue: `${cluster}-jobs`,
    jobs: (digest) => `${cluster}.jobs.${digest}`,
    consumer: (digest) => `model-${digest}`,
    news: (job) => `${cluster}.news.${job}`,
    cancel: (job) => `${cluster}.cancel.${job}`,
    lender: (node) => `${cluster}.lender.${node}`,
    leader: (mesh) => `${cluster}.leader.${mesh}`,
    mesh: (mesh) => `${cluster}.mesh.${mesh}`,
    buckets: {
      nodes: `${cluster}-nodes`,
      models: `${cluster}-models`,
      results: `${cluster}-results`,
      objects: `${cluster}-objects`,
    },
  }
}
