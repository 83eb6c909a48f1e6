/**
 * What a supervisor is told of itself: strategy, restart intensity, automatic shutdown.
 */
import { badOption } from '../arguments.ts'
import type { AutoShutdown } from './child-spec.ts'

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one'

export interface RestartLimits {
  /** How many restarts there may be within `periodMs`: one more stops the supervisor. @default 1 */
  readonly intensity?: number | undefined
  /** Milliseconds. @default 5000 */
  readonly periodMs?: number | undefined
}

export interface SupervisorFlags extends RestartLimits {
  /**
   * Who is restarted with a child: nobody; all; those that were started after it. Those are stopped first, in the reverse of the order in which all
   * are started then. @default 'one_for_one'
   */
  readonly strategy?: Strategy | undefined
  /** The supervisor stops itself, with `shutdown`, when a significant child has ended and isn't restarted; or when the last of them has. @default 'never' */
  readonly autoShutdown?: AutoShutdown | undefined
}

export interface SimpleSupervisorFlags extends RestartLimits {
  /** Children are all of one kind, and started by `startChild` only. */
  readonly strategy: 'simple_one_for_one'
  /** @default 'never' */
  readonly autoShutdown?: AutoShutdown | undefined
}

export interface DynamicSupervisorFlags extends RestartLimits {
  /** How many children there may be. @default Infinity */
  readonly maxChildren?: number | undefined
}

/** With the defaults filled in. */
type Filled<Flags> = { readonly [Flag in keyof Flags]-?: Exclude<Flags[Flag], undefined> }

export type CheckedLimits = Filled<RestartLimits>
export type CheckedFlags = Filled<SupervisorFlags>
export type CheckedDynamicFlags = Filled<DynamicSupervisorFlags> & { readonly autoShutdown: AutoShutdown }

const STRATEGIES: ReadonlySet<unknown> = new Set<Strategy>(['one_for_one', 'one_for_all', 'rest_for_one'])
const AUTO_SHUTDOWNS: ReadonlySet<unknown> = new Set<AutoShutdown>(['never', 'any_significant', 'all_significant'])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkFlags(flags: SupervisorFlags): CheckedFlags {
  const { strategy = 'one_for_one', autoShutdown, intensity, periodMs, ...others } = asOptions(flags)
  refuseOthers(others)
  if (!STRATEGIES.has(strategy))
    throw badOption(`strategy must be one of ${[...STRATEGIES].join(', ')}, simple_one_for_one`)
  return { strategy, autoShutdown: checkAutoShutdown(autoShutdown), ...checkLimits({ intensity, periodMs }) }
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkSimpleFlags(flags: SimpleSupervisorFlags): CheckedDynamicFlags {
  const { strategy: _, autoShutdown, intensity, periodMs, ...others } = asOptions(flags)
  refuseOthers(others)
  return {
    autoShutdown: checkAutoShutdown(autoShutdown),
    maxChildren: Infinity,
    ...checkLimits({ intensity, periodMs }),
  }
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkDynamicFlags(flags: DynamicSupervisorFlags): CheckedDynamicFlags {
  const { maxChildren = Infinity, intensity, periodMs, ...others } = asOptions(flags)
  refuseOthers(others)
  if (maxChildren !== Infinity && !isCount(maxChildren))
    throw badOption('maxChildren must be a whole number, or Infinity')
  return { autoShutdown: 'never', maxChildren, ...checkLimits({ intensity, periodMs }) }
}

function checkLimits({ intensity = 1, periodMs = 5_000 }: { [Key in keyof RestartLimits]: unknown }): CheckedLimits {
  if (!isCount(intensity)) throw badOption('intensity must be a whole number, 0 or more')
  if (typeof periodMs !== 'number' || !(periodMs > 0)) throw badOption('periodMs must be more than 0 milliseconds')
  return { intensity, periodMs }
}

function checkAutoShutdown(autoShutdown: AutoShutdown = 'never'): AutoShutdown {
  if (AUTO_SHUTDOWNS.has(autoShutdown)) return autoShutdown
  throw badOption(`autoShutdown must be one of ${[...AUTO_SHUTDOWNS].join(', ')}`)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function asOptions<Flags extends object>(flags: Flags): Flags {
  if (typeof flags === 'object' && flags !== null) return flags
  throw badOption(`the flags of a supervisor are an object, not ${typeof flags}`)
}

function refuseOthers(others: object): void {
  const [first] = Object.keys(others)
  if (first !== undefined) throw badOption(`a supervisor has no option '${first}'`)
}
