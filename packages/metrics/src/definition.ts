/**
 * What a metric is: a row in one of the tables node-metrics.ts, table-metrics.ts and gateway-metrics.ts. docs/metrics.md lists them all.
 *
 * Labels have few values, all of them this side's own: a reason, a status, a state. Never a user, a name, an address or another node.
 */

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** A distribution at one moment. */
export interface HistogramStats {
  /** Upper bounds of the buckets, ascending, each inclusive. */
  readonly bounds: readonly number[]
  /** Of each bucket by itself; one more than bounds: the last is for what is above them all. */
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
}

export interface HistogramSample {
  readonly labels: Labels
  readonly stats: HistogramStats
}

interface Described {
  /** Without the prefix. Ends in its unit; of a counter, in `_total`. */
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
}

export interface NumberDefinition<Stats> extends Described {
  readonly type: 'counter' | 'gauge'
  /** Values of its label that have a series of their own, whatever others there are. */
  readonly known?: readonly string[]
  /** Nothing, where the source doesn't have it. */
  readonly read: (stats: Stats) => readonly Sample[]
}

export interface HistogramDefinition<Stats> extends Described {
  readonly type: 'histogram'
  readonly read: (stats: Stats) => readonly HistogramSample[]
}

export type Definition<Stats> = NumberDefinition<Stats> | HistogramDefinition<Stats>

/** The one sample of what has no labels. */
export function single(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: {}, value }]
}

/**
 * A sample of each entry, by its key. Those of `always` are shown at 0 before the first is counted: Prometheus can't tell by how much a series has grown that was not there
 * before, so the first drop after a start would be none to `increase`.
 */
export function each(
  label: string,
  counts: ReadonlyMap<string | number, number> | undefined,
  always: readonly string[] = [],
): readonly Sample[] {
  if (counts === undefined) return []
  const shown = new Map(always.map((key) => [key, 0]))
  for (const [key, value] of counts) shown.set(String(key), value)
  return [...shown].map(([key, value]) => ({ labels: { [label]: key }, value }))
}
