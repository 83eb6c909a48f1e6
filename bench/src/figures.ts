/**
 * From samples to figures: spreads, ratios, and whether a target holds. Pure.
 */
import { OURS, type FigureKind, type FigurePlan, type Target } from './group.ts'

/** What a child answers to one run. */
export type Answer =
  | { readonly ms: number; readonly operations: number }
  | { readonly bytes: number; readonly operations: number }
  /** Of a run that yields several figures: milliseconds or bytes, by name, or what `asItIs` takes in the figure's own unit. A name that a contestant hasn't got is no sample of it. */
  | { readonly values: Readonly<Record<string, number>>; readonly operations: number }
  /** Of `operations` processes of the operating system together, in `ms`. */
  | { readonly cpuMs: number; readonly ms: number; readonly operations: number }

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** One row of the table, and of the JSON report. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly higherIsBetter: boolean
  /** Absent where only peers have the figure so far. */
  readonly ours?: Spread
  readonly peers: Readonly<Record<string, Spread>>
  readonly target?: Target
  /** Ours to the target's peer, by medians; absent if there is no such peer, or one of the two is missing. */
  readonly ratio?: number
  /** Absent if there is no target, or its peer or ours is missing. */
  readonly holds?: boolean
}

/** A contestant's samples of one figure, one a round. */
export type Samples = ReadonlyMap<string, readonly number[]>

/** `undefined`: the answer has values, and not this one. */
export function sampleOf({ kind, value }: Pick<FigurePlan, 'kind' | 'value'>, answer: Answer): number | undefined {
  if (value === undefined) return soleSampleOf(kind, answer)
  if (!('values' in answer)) throw new Error(`the answer has no values, but is asked for ${value}`)
  const { values, operations } = answer
  const found = values[value]
  if (found === undefined) return undefined
  return soleSampleOf(kind, kind === 'bytesPerOperation' ? { bytes: found, operations } : { ms: found, operations })
}

function soleSampleOf(kind: FigureKind, answer: Answer): number {
  switch (kind) {
    case 'operationsPerSecond':
      return (answer.operations / msOf(answer)) * 1_000
    case 'ms':
    case 'asItIs':
      return msOf(answer)
    case 'usPerOperation':
      return (msOf(answer) / answer.operations) * 1_000
    case 'bytesPerOperation':
      if (!('bytes' in answer)) throw new Error('the answer has no bytes')
      return answer.bytes / answer.operations
    case 'cpuMsPerSecond':
      if (!('cpuMs' in answer)) throw new Error('the answer has no cpuMs')
      return (answer.cpuMs / answer.ms / answer.operations) * 1_000
  }
}

/** The median of an even number of samples is the mean of the two in the middle. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  if (min === undefined || max === undefined || low === undefined || high === undefined) {
    throw new Error('there are no samples')
  }
  return { median: rounded((low + high) / 2), min: rounded(min), max: rounded(max) }
}

/** The smallest of the values that at least this share of them, above 0 and up to 1, does not exceed. */
export function quantileOf(values: readonly number[], share: number): number {
  const found = values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]
  if (found === undefined) throw new Error('there are no values')
  return found
}

export function figureOf(plan: FigurePlan, samples: Samples): Figure {
  const spreads = [...samples].map(([name, values]) => [name, spreadOf(values)] as const)
  const ours = spreads.find(([name]) => name === OURS)?.[1]
  if (ours === undefined && plan.parts[OURS] !== undefined)
    throw new Error(`${plan.name}: there are no samples of ${OURS}`)
  const { name, unit, higherIsBetter, target } = plan
  const peers = Object.fromEntries(spreads.filter(([peer]) => peer !== OURS))
  const figure = { name, unit, higherIsBetter, ...(ours === undefined ? {} : { ours }), peers }
  return target === undefined ? figure : { ...figure, target, ...judge(figure, target) }
}

/** Nothing, if the target's peer is missing, or ours. */
export function judge(
  { higherIsBetter, ours, peers }: Pick<Figure, 'higherIsBetter' | 'ours' | 'peers'>,
  target: Target,
): { readonly ratio?: number; readonly holds?: boolean } {
  const reaches = (value: number, aim: number): boolean => (higherIsBetter ? value >= aim : value <= aim)
  if (ours === undefined) return {}
  if ('absolute' in target) return { holds: reaches(ours.median, target.absolute) }
  const peer = peers[target.peer]
  if (peer === undefined) return {}
  const ratio = ours.median / peer.median
  return { ratio: rounded(ratio), holds: reaches(ratio, target.ratio) }
}

/** To six digits: more are noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(6))
}

function msOf(answer: Answer): number {
  if (!('ms' in answer)) throw new Error('the answer has no ms')
  return answer.ms
}
