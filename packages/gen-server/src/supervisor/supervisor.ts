/**
 * `Supervisor`: starts children in order, restarts those that end, by one of four strategies, and stops them in reverse. As OTP's `supervisor`.
 *
 *   const supervisor = await Supervisor.startLink(self, { strategy: 'rest_for_one', intensity: 3 }, [
 *     child(Store, [path], { name: 'store' }),
 *     child(Counter, [5], { name: 'counter', restart: 'transient' }),
 *   ])
 *
 * Its functions are used as `Supervisor.…`; see docs/supervisors.md. All questions wait without a limit of time, as in OTP: a supervisor answers
 * when what it does is done. They reject with `CallError` if it isn't there, and with `ERR_BAD_ARGUMENT` if a server answers that is none.
 */
import type { Caller, Context, Pid } from '@pidmesh/runtime'
import type { ServerPid } from '../protocol.ts'
import { promised } from '../unawaited.ts'
import { start as startServer, startLink as startServerLink } from '../start.ts'
import { ask, askForChild, checkedId, checkedPid } from './ask.ts'
import { split, type ChildOptions } from './child.ts'
import { badChildSpec, checkChildSpec, checkChildSpecs, type ChildSpec } from './child-spec.ts'
import type { Template } from './dynamic-service.ts'
import { checkFlags, checkSimpleFlags, type SimpleSupervisorFlags, type SupervisorFlags } from './flags.ts'
import { nameOf, serverOptions, type SupervisorOptions } from './options.ts'
import type {
  AnySupervisorRef,
  ChildCounts,
  ChildInfo,
  DeleteChildResult,
  GetChildSpecResult,
  RestartChildResult,
  SimpleSupervisorPid,
  SimpleSupervisorRef,
  StartChildResult,
  StartResult,
  SupervisorCall,
  SupervisorPid,
  SupervisorRef,
  SupervisorState,
  TerminateChildResult,
} from './protocol.ts'
import type { Children } from './static-service.ts'
import { SupervisorServer, type SupervisorInit } from './supervisor-server.ts'

/** With `simple_one_for_one`. It is first, since of a call that fits neither the compiler says what it lacks for the last. */
export function startLink<Args extends readonly unknown[], Started extends Pid | undefined>(
  self: Context,
  flags: SimpleSupervisorFlags,
  template: Template<Args, Started>,
  options?: SupervisorOptions,
): Promise<SimpleSupervisorPid<Args, Started>>
/**
 * Starts a supervisor that is linked to the calling process, its parent. Resolves when all children have been started, in their order.
 * @param children their specifications, or a function that gives them: it runs in the supervisor, at each of its starts. With `simple_one_for_one`:
 * a function that makes a specification of the arguments of `startChild`
 * @throws StartError by rejection: `ERR_START_FAILED`, with the reason `{ shutdown: { failed_to_start_child: id, reason } }` if a child could not
 * be started (those before it have been stopped), `{ start_spec: … }` for specifications of a function that can't be; `ERR_ALREADY_STARTED`,
 * `ERR_START_TIMEOUT`
 * @throws PidmeshError by rejection: `ERR_BAD_OPTION` for flags that can't be, `ERR_BAD_CHILD_SPEC`; then nothing has been started
 */
export function startLink(
  self: Context,
  flags: SupervisorFlags,
  children: Children,
  options?: SupervisorOptions,
): Promise<SupervisorPid>
export function startLink(
  self: Context,
  flags: SupervisorFlags | SimpleSupervisorFlags,
  children: Children | Template<never>,
  options: SupervisorOptions = {},
): Promise<ServerPid<SupervisorCall, never, SupervisorState>> {
  return promised(() =>
    startServerLink(self, SupervisorServer, [checkInit(flags, children, options)], serverOptions(options)),
  )
}

/** With `simple_one_for_one`. */
export function start<Args extends readonly unknown[], Started extends Pid | undefined>(
  caller: Caller,
  flags: SimpleSupervisorFlags,
  template: Template<Args, Started>,
  options?: SupervisorOptions,
): Promise<SimpleSupervisorPid<Args, Started>>
/**
 * As `startLink`, without a link: for the supervisor of a whole program, which nobody's end is to stop but its node's: `node.stop()` stops it first, as `stop(node,
 * supervisor, 'shutdown')` does, the one that was started last before the others.
 * @throws as `startLink`
 */
export function start(
  caller: Caller,
  flags: SupervisorFlags,
  children: Children,
  options?: SupervisorOptions,
): Promise<SupervisorPid>
export function start(
  caller: Caller,
  flags: SupervisorFlags | SimpleSupervisorFlags,
  children: Children | Template<never>,
  options: SupervisorOptions = {},
): Promise<ServerPid<SupervisorCall, never, SupervisorState>> {
  return promised(() =>
    startServer(caller, SupervisorServer, [checkInit(flags, children, options), 'root'], serverOptions(options)),
  )
}

/** With `simple_one_for_one`. */
export function childSpec<Args extends readonly unknown[], Started extends Pid | undefined>(
  flags: SimpleSupervisorFlags,
  template: Template<Args, Started>,
  options?: ChildOptions & SupervisorOptions,
): ChildSpec<SimpleSupervisorPid<Args, Started>>
/**
 * A supervisor as a child of another one.
 * @param options of the specification, and those of `startLink`; `id` is by default the name, also of one in a `Via`, or else `supervisor`; `shutdown`
 * is Infinity
 * @throws PidmeshError `ERR_BAD_OPTION`, `ERR_BAD_CHILD_SPEC`
 */
export function childSpec(
  flags: SupervisorFlags,
  children: Children,
  options?: ChildOptions & SupervisorOptions,
): ChildSpec<SupervisorPid>
export function childSpec(
  flags: SupervisorFlags | SimpleSupervisorFlags,
  children: Children | Template<never>,
  options: ChildOptions & SupervisorOptions = {},
): ChildSpec<ServerPid<SupervisorCall, never, SupervisorState>> {
  const { spec, rest } = split(options)
  const init = checkInit(flags, children, rest)
  return {
    id: nameOf(rest) ?? 'supervisor',
    type: 'supervisor',
    ...spec,
    start: (self) => startServerLink(self, SupervisorServer, [init], serverOptions(rest)),
  }
}

/**
 * Adds a child and starts it. With `simple_one_for_one`: starts one more, with these arguments.
 * @returns with `ok` what its start gives: of `child(Room, …)` the pid of a `Room`, typed as by `start`
 * @throws PidmeshError by rejection: `ERR_BAD_CHILD_SPEC`; `ERR_NOT_SENDABLE` for a specification that is to go to another node: functions can't
 */
export function startChild<Started extends Pid | undefined>(
  caller: Caller,
  supervisor: SupervisorRef,
  spec: ChildSpec<Started>,
): Promise<StartChildResult<Started>>
export function startChild<Args extends readonly unknown[], Started extends Pid | undefined>(
  caller: Caller,
  supervisor: SimpleSupervisorRef<Args, Started>,
  args: NoInfer<Args>,
): Promise<StartResult<Started>>
export function startChild(
  caller: Caller,
  supervisor: AnySupervisorRef,
  child: ChildSpec | readonly unknown[],
): Promise<StartChildResult> {
  return promised(async () => {
    if (isList(child)) return askForChild(caller, supervisor, { type: 'start_child_with', args: child })
    // Whether it may be significant is for the supervisor to say.
    const spec = checkChildSpec(child, 'any_significant')
    return askForChild(caller, supervisor, { type: 'start_child', spec })
  })
}

/**
 * Stops a child, which isn't restarted then: its specification stays, unless it is temporary. `ok` also if it doesn't run.
 * @param child its id; with `simple_one_for_one` its pid
 */
export function terminateChild(caller: Caller, supervisor: SupervisorRef, child: string): Promise<TerminateChildResult>
export function terminateChild(
  caller: Caller,
  supervisor: SimpleSupervisorRef<never>,
  child: Pid,
): Promise<TerminateChildResult>
export function terminateChild(
  caller: Caller,
  supervisor: AnySupervisorRef,
  child: string | Pid,
): Promise<TerminateChildResult> {
  return promised(async () => {
    const checked = typeof child === 'string' ? checkedId(child) : checkedPid(child)
    return ask(caller, supervisor, { type: 'terminate_child', child: checked })
  })
}

/** Starts a child that doesn't run. */
export function restartChild(caller: Caller, supervisor: SupervisorRef, id: string): Promise<RestartChildResult> {
  return promised(() => ask(caller, supervisor, { type: 'restart_child', id: checkedId(id) }))
}

/** Forgets a child that doesn't run. */
export function deleteChild(caller: Caller, supervisor: SupervisorRef, id: string): Promise<DeleteChildResult> {
  return promised(() => ask(caller, supervisor, { type: 'delete_child', id: checkedId(id) }))
}

/**
 * The specification of a child, with the defaults filled in. As `supervisor:get_childspec/2`.
 * @param child its id; with `simple_one_for_one` its pid
 * @throws PidmeshError by rejection: `ERR_NOT_SENDABLE` on another node than the supervisor's: it holds a function
 */
export function getChildSpec(caller: Caller, supervisor: SupervisorRef, child: string): Promise<GetChildSpecResult>
export function getChildSpec(
  caller: Caller,
  supervisor: SimpleSupervisorRef<never>,
  child: Pid,
): Promise<GetChildSpecResult>
export function getChildSpec(
  caller: Caller,
  supervisor: AnySupervisorRef,
  child: string | Pid,
): Promise<GetChildSpecResult> {
  return promised(async () => {
    const checked = typeof child === 'string' ? checkedId(child) : checkedPid(child)
    return ask(caller, supervisor, { type: 'get_child_spec', child: checked })
  })
}

/** The children, the last that was started first, as in OTP. */
export function whichChildren(caller: Caller, supervisor: AnySupervisorRef): Promise<readonly ChildInfo[]> {
  return ask(caller, supervisor, { type: 'which_children' })
}

export function countChildren(caller: Caller, supervisor: AnySupervisorRef): Promise<ChildCounts> {
  return ask(caller, supervisor, { type: 'count_children' })
}

function checkInit(
  flags: SupervisorFlags | SimpleSupervisorFlags,
  children: Children | Template<never>,
  options: SupervisorOptions,
): SupervisorInit {
  const name = nameOf(options)
  if (isSimple(flags)) {
    if (typeof children !== 'function')
      throw badChildSpec('simple_one_for_one takes a function that makes a specification, not a list of them')
    return { type: 'dynamic', flags: checkSimpleFlags(flags), template: children as Template<never>, name }
  }
  const checked = checkFlags(flags)
  // Those that a function gives are checked at each start of the supervisor.
  if (typeof children !== 'function') checkChildSpecs(children, checked.autoShutdown)
  return { type: 'static', flags: checked, children: children as Children, name }
}

function isSimple(flags: SupervisorFlags | SimpleSupervisorFlags): flags is SimpleSupervisorFlags {
  return flags?.strategy === 'simple_one_for_one'
}

function isList(child: ChildSpec | readonly unknown[]): child is readonly unknown[] {
  return Array.isArray(child)
}
