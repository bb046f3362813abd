import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds, from a small model's step to a large one's picture. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** What Prometheus reads at /metrics. */
export class Metrics {
  readonly #registry = new Registry()
  readonly requests = new Counter({
    name: 'webdit_http_requests_total',
    help: 'Answers, by route and status.',
    labelNames: ['route', 'status'] as const,
    registers: [this.#registry],
  })
  readonly pictures = new Counter({
    name: 'webdit_pictures_total',
    help: 'Pictures that were asked for and accepted, by what became of them.',
    labelNames: ['outcome'] as const,
    registers: [this.#registry],
  })
  readonly steps = new Counter({
    name: 'webdit_denoising_steps_total',
    help: 'Denoising steps run; a step of a batch counts once.',
    registers: [this.#registry],
  })
  readonly batch = new Histogram({
    name: 'webdit_batch_pictures',
    help: 'Pictures drawn together.',
    buckets: [1, 2, 4, 8, 16, 32],
    registers: [this.#registry],
  })
  readonly waiting = new Histogram({
    name: 'webdit_queue_seconds',
    help: 'Time that pictures waited until drawing began.',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly drawing = new Histogram({
    name: 'webdit_drawing_seconds',
    help: 'Time that a batch took to draw.',
    buckets: SECONDS,
    registers: [this.#registry],
  })

  /** A number that is read when Prometheus asks. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
