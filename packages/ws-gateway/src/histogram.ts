/**
 * A distribution in fixed buckets: what it costs doesn't grow with what it has seen. `@pidmesh/metrics` shows it as a histogram of Prometheus.
 */

/** A distribution at one moment. */
export interface HistogramStats {
  /** Upper bounds of the buckets, ascending, each inclusive. */
  readonly bounds: readonly number[]
  /** How many were seen in each bucket, by itself; one more than bounds: the last is for what is above them all. */
  readonly counts: readonly number[]
  /** Of all that was seen. */
  readonly sum: number
  readonly count: number
}

export const BOUNDS: Readonly<Record<'latencySeconds' | 'mailboxMessages' | 'bufferedBytes', readonly number[]>> = {
  /** From the message in the mailbox to the socket's write, say: 0.1 ms to 10 s. */
  latencySeconds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  /** Messages that wait for a session. */
  mailboxMessages: [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1_024, 4_096],
  /** Bytes that wait for a client: the soft limit and the hard one are bounds. */
  bufferedBytes: [0, 1_024, 4_096, 16_384, 65_536, 262_144, 524_288, 1_048_576],
}

export class Histogram {
  private readonly bounds: readonly number[]
  private readonly counts: number[]
  private sum = 0

  /** @param bounds Ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** What is no number is not counted. */
  observe(value: number): void {
    if (Number.isNaN(value)) return
    let bucket = 0
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? Infinity)) bucket++
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sum += value
  }

  get stats(): HistogramStats {
    const { bounds, sum } = this
    const counts = [...this.counts]
    return { bounds, counts, sum, count: counts.reduce((all, one) => all + one, 0) }
  }
}
