/**
 * What a group of benchmarks is: who takes part, and which figures are taken. Data only; groups/ has one file a group.
 */

/** How one contestant is started as a child process that speaks the line protocol of contestant.ts. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
}

export interface ContestantPlan {
  /** `ours`, or the peer's name. */
  readonly name: string
  /**
   * Makes what the child needs, such as compiled code, in `folder`, which is removed after the group; says how the child is started.
   * `undefined`: what it takes is not installed.
   */
  readonly prepare: (folder: string) => Command | undefined
}

/** How a figure follows from a child's answer. */
export type FigureKind =
  | 'operationsPerSecond'
  | 'ms'
  | 'usPerOperation'
  | 'bytesPerOperation'
  | 'cpuMsPerSecond'
  | 'asItIs'

/** Met if ours is at least (lower is better: at most) `ratio` times the peer, or `absolute` in the figure's unit. */
export type Target = { readonly peer: string; readonly ratio: number } | { readonly absolute: number }

/** One contestant's part in a figure. Rates may be taken at different sizes: of a fast and a slow contestant both should run 100 to 500 ms. */
export interface Part {
  readonly workload: string
  readonly size: number
}

export interface FigurePlan {
  readonly name: string
  readonly unit: string
  readonly kind: FigureKind
  readonly higherIsBetter: boolean
  /** By contestant; who isn't named has no such figure, ours included, as long as there is none. */
  readonly parts: Readonly<Record<string, Part>>
  /**
   * Of an answer with several values, the one that this figure is. Figures of the same parts that name values are taken from the same runs.
   * @default the answer has but one
   */
  readonly value?: string
  readonly target?: Target
  /** Taken only if `--only` says so: for figures that need a minute, or much memory. @default false */
  readonly onlyWhenAsked?: boolean
  /** Each round in a child of its own, without a warm-up round: for memory, where what ran before would count. @default false */
  readonly freshChild?: boolean
  /** Takes so many rounds at most, whatever `--rounds` says: for figures of which one takes seconds. @default as many as `--rounds` says */
  readonly maxRounds?: number
}

export interface Group {
  readonly name: string
  /** How it is run on this machine, and which figures are left out for want of what: a line each, printed and reported. @default none */
  readonly notes?: readonly string[]
  readonly contestants: readonly ContestantPlan[]
  readonly figures: readonly FigurePlan[]
}

/** The contestant that all others are peers of. */
export const OURS = 'ours'
/** The same with nodes that speak TCP with each other. */
export const OURS_TCP = 'ours-tcp'
