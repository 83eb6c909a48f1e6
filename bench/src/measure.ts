/**
 * Measures workloads side by side: all contestants once a round, in turn, so that what else the machine does meets them alike. What counts is the ratio of
 * medians; absolute numbers belong to one machine and one moment.
 */
export interface Contestant {
  /** `ours`, or the peer's name. */
  readonly name: string
  /** Does the work once; resolves with how many operations it was. */
  readonly run: () => Promise<number>
}

export interface Workload {
  readonly name: string
  readonly unit: string
  readonly contestants: readonly Contestant[]
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly higherIsBetter: true
  readonly ours: Spread
  readonly peers: { readonly [name: string]: Spread }
}

export async function measure({ name, unit, contestants }: Workload, rounds: number): Promise<Figure> {
  const rates = new Map<string, number[]>(contestants.map((contestant) => [contestant.name, []]))
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      const startMs = performance.now()
      const operations = await contestant.run()
      const rate = (operations / (performance.now() - startMs)) * 1_000
      if (round > 0) rates.get(contestant.name)?.push(rate)
    }
  }
  const spreads = [...rates].map(([who, values]) => [who, spreadOf(values)] as const)
  const ours = spreads.find(([who]) => who === 'ours')?.[1]
  if (ours === undefined) throw new Error(`${name} has no contestant named ours`)
  return {
    name,
    unit,
    higherIsBetter: true,
    ours,
    peers: Object.fromEntries(spreads.filter(([who]) => who !== 'ours')),
  }
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1] ?? 0, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 }
}
