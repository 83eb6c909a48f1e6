/**
 * Child specifications: what a supervisor is told of a child, the defaults, and what makes no sense.
 *
 * Not here: builders of specifications (child.ts).
 */
import { formatReason, PidmeshError, reasonOfThrown, type Awaitable, type Context, type Pid } from '@pidmesh/runtime'

/** When a child that has ended is started again: always; unless it ended with `normal`, `shutdown` or `{ shutdown: … }`; never. */
export type Restart = 'permanent' | 'transient' | 'temporary'

/** How a child is stopped: the exit signal `shutdown`, and `kill` after so many milliseconds (`Infinity`: never); or `kill` at once. */
export type Shutdown = number | 'brutal_kill'

/** When the end of significant children stops their supervisor. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant'

/** `Started` is what its start gives: `startChild` gives it on, so that the child can be called without telling the compiler what it is. */
export interface ChildSpec<out Started extends Pid | undefined = Pid | undefined> {
  /** Names the child within its supervisor. Children of a `DynamicSupervisor` may share one. */
  readonly id: string
  /**
   * Starts the child, in the supervisor's process, whose context it is given: it must start a process that is linked to the supervisor, and give
   * its pid when that is ready. A pid that isn't linked yet is linked. `undefined` says that the child is not wanted now (Erlang's `ignore`). What
   * it throws is why it could not be started. While it waits the supervisor does nothing else.
   */
  readonly start: (self: Context) => Awaitable<Started>
  /** @default 'permanent' */
  readonly restart?: Restart | undefined
  /** Milliseconds, `Infinity` or `'brutal_kill'`. @default 5000, for a supervisor Infinity */
  readonly shutdown?: Shutdown | undefined
  /** @default 'worker' */
  readonly type?: 'worker' | 'supervisor' | undefined
  /** Its end counts for the supervisor's `autoShutdown`. Not for a permanent child. @default false */
  readonly significant?: boolean | undefined
}

/** With the defaults filled in. */
export type CheckedChildSpec = { readonly [Field in keyof ChildSpec]-?: Exclude<ChildSpec[Field], undefined> }

export type ChildSpecErrorCode = 'ERR_BAD_CHILD_SPEC'

export const DEFAULT_SHUTDOWN_MS = 5_000

const RESTARTS: ReadonlySet<unknown> = new Set<Restart>(['permanent', 'transient', 'temporary'])

/**
 * The specifications with their defaults, as `supervisor:check_childspecs/2`.
 * @throws PidmeshError `ERR_BAD_CHILD_SPEC`: what is wrong with the first of them that can't be, or that two have one id
 */
export function checkChildSpecs(
  specs: readonly ChildSpec[],
  autoShutdown: AutoShutdown = 'never',
): readonly CheckedChildSpec[] {
  if (!Array.isArray(specs)) throw badChildSpec(`children are given as a list, not ${typeof specs}`)
  const checked = (specs as readonly ChildSpec[]).map((spec) => checkChildSpec(spec, autoShutdown))
  const ids = new Set<string>()
  for (const { id } of checked) {
    if (ids.has(id)) throw badChildSpec(`two children have the id '${id}': give one an id of its own`)
    ids.add(id)
  }
  return checked
}

/** @throws PidmeshError `ERR_BAD_CHILD_SPEC` */
export function checkChildSpec(spec: ChildSpec, autoShutdown: AutoShutdown): CheckedChildSpec {
  if (typeof spec !== 'object' || spec === null)
    throw badChildSpec(`a child specification is an object, not ${typeof spec}`)
  // Read once, as plain data.
  const { id, start, restart = 'permanent', type = 'worker', significant = false, shutdown, ...others } = spec
  const [unknown] = Object.keys(others)
  if (typeof id !== 'string' || id === '') throw badChildSpec('id must be a text')
  const problem = (text: string): PidmeshError<ChildSpecErrorCode> => badChildSpec(`child '${id}': ${text}`)
  if (unknown !== undefined) throw problem(`there is no option '${unknown}'`)
  if (typeof start !== 'function') throw problem('start must be a function')
  if (!RESTARTS.has(restart)) throw problem(`restart must be one of ${[...RESTARTS].join(', ')}`)
  if (type !== 'worker' && type !== 'supervisor') throw problem("type must be 'worker' or 'supervisor'")
  if (shutdown !== undefined && shutdown !== 'brutal_kill' && !(typeof shutdown === 'number' && shutdown >= 0))
    throw problem("shutdown must be 'brutal_kill', or milliseconds from 0 on")
  if (typeof significant !== 'boolean') throw problem('significant must be true or false')
  if (significant && restart === 'permanent') throw problem('a permanent child cannot be significant')
  if (significant && autoShutdown === 'never') throw problem('a significant child needs a supervisor with autoShutdown')
  return {
    id,
    start,
    restart,
    type,
    significant,
    shutdown: shutdown ?? (type === 'supervisor' ? Infinity : DEFAULT_SHUTDOWN_MS),
  }
}

/** What a check has found, as a text. A specification may be anything, one whose properties throw included. */
export function specProblem(error: unknown): string {
  return error instanceof PidmeshError ? error.message : formatReason(reasonOfThrown(error))
}

export function badChildSpec(problem: string): PidmeshError<ChildSpecErrorCode> {
  return new PidmeshError<ChildSpecErrorCode>('ERR_BAD_CHILD_SPEC', problem)
}
