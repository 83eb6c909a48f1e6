/**
 * Metrics of prom-client whose values are read when they are asked for, in place of being kept. What is counted is counted where it happens.
 */
import {
  Counter,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type PrometheusContentType,
  type Registry,
} from 'prom-client'
import { BoundedLabels } from './bounded-labels.ts'
import type { Definition, HistogramDefinition, HistogramSample, NumberDefinition, Sample } from './definition.ts'

export type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>

export interface CollectorOptions<Stats> {
  readonly registry: AnyRegistry
  readonly prefix: string
  /** Called once for each metric that is asked for. */
  readonly stats: () => Stats
}

/** Registers a metric for each definition. */
export function register<Stats>(definitions: readonly Definition<Stats>[], options: CollectorOptions<Stats>): void {
  for (const definition of definitions) {
    if (definition.type === 'histogram') new ReadHistogram(definition, options)
    else if (definition.type === 'counter') new ReadCounter(definition, options)
    else new ReadGauge(definition, options)
  }
}

type Collected = Awaited<ReturnType<Gauge['get']>>
type CollectedHistogram = Awaited<ReturnType<Histogram['get']>>

class ReadCounter<Stats> extends Counter {
  readonly #read: () => readonly Sample[]

  constructor(definition: NumberDefinition<Stats>, options: CollectorOptions<Stats>) {
    super(configuration(definition, options))
    this.#read = reader(definition, options)
  }

  // Not `async`: all metrics are read at one moment, before anything else happens.
  override get(): Promise<Collected> {
    return collected(super.get(), this.#read())
  }
}

class ReadGauge<Stats> extends Gauge {
  readonly #read: () => readonly Sample[]

  constructor(definition: NumberDefinition<Stats>, options: CollectorOptions<Stats>) {
    super(configuration(definition, options))
    this.#read = reader(definition, options)
  }

  override get(): Promise<Collected> {
    return collected(super.get(), this.#read())
  }
}

class ReadHistogram<Stats> extends Histogram {
  readonly #name: string
  readonly #read: () => readonly HistogramSample[]

  constructor(definition: HistogramDefinition<Stats>, options: CollectorOptions<Stats>) {
    super(configuration(definition, options))
    this.#name = options.prefix + definition.name
    this.#read = () => definition.read(options.stats())
  }

  override get(): Promise<CollectedHistogram> {
    const values = this.#read().flatMap((sample) => seriesOf(this.#name, sample))
    // `super.get()` asks `getForPromString`, which is this one.
    const { name, help, type, aggregator, collect } = this as unknown as CollectedHistogram
    return Promise.resolve({ name, help, type, aggregator, collect, values })
  }

  /** What a Registry asks of a histogram for its text. */
  getForPromString(): Promise<CollectedHistogram> {
    return this.get()
  }
}

function configuration<Stats>(
  { name, help, labels }: Definition<Stats>,
  { prefix, registry }: CollectorOptions<Stats>,
): { name: string; help: string; labelNames: readonly string[]; registers: AnyRegistry[] } {
  return { name: prefix + name, help, labelNames: labels, registers: [registry] }
}

function reader<Stats>(
  { read, labels, known }: NumberDefinition<Stats>,
  { stats }: CollectorOptions<Stats>,
): () => readonly Sample[] {
  if (labels.length === 0) return () => read(stats())
  const bounded = new BoundedLabels(known)
  return () => bounded.fold(read(stats()))
}

async function collected(empty: Promise<Collected>, samples: readonly Sample[]): Promise<Collected> {
  return { ...(await empty), values: samples.map(({ labels, value }) => ({ labels: { ...labels }, value })) }
}

/** The lines of a histogram: buckets that count all up to their bound, the sum, the count. */
function seriesOf(name: string, { labels, stats }: HistogramSample): CollectedHistogram['values'] {
  let upTo = 0
  const buckets = stats.bounds.map((bound, at) => {
    upTo += stats.counts[at] ?? 0
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: upTo }
  })
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: stats.count },
    { metricName: `${name}_sum`, labels: { ...labels }, value: stats.sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: stats.count },
  ]
}
