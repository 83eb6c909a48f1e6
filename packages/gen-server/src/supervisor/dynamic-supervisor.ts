/**
 * `DynamicSupervisor`: children that come and go, each on its own, as many as there are. As Elixir's; OTP's `simple_one_for_one` with a
 * specification for each child.
 *
 *   const rooms = await DynamicSupervisor.startLink(self, { maxChildren: 10_000 }, { name: 'rooms' })
 *   const started = await DynamicSupervisor.startChild(self, rooms, child(Room, ['lobby'], { restart: 'transient' }))
 *
 * Its functions are used as `DynamicSupervisor.…`; see docs/supervisors.md. All questions wait without a limit of time, as in OTP; they reject with
 * `CallError` if it isn't there, and with `ERR_BAD_ARGUMENT` if a server answers that is none. Nothing that it does for one child takes longer for there being many.
 */
import type { Caller, Context, Pid } from '@pidmesh/runtime'
import { promised } from '../unawaited.ts'
import { start as startServer, startLink as startServerLink } from '../start.ts'
import { ask, askForChild, checkedPid } from './ask.ts'
import { split, type ChildOptions } from './child.ts'
import { checkChildSpec, type ChildSpec } from './child-spec.ts'
import { checkDynamicFlags, type DynamicSupervisorFlags } from './flags.ts'
import { nameOf, serverOptions, type SupervisorOptions } from './options.ts'
import type {
  ChildCounts,
  ChildInfo,
  DynamicSupervisorPid,
  DynamicSupervisorRef,
  StartDynamicChildResult,
  TerminateChildResult,
} from './protocol.ts'
import { SupervisorServer, type SupervisorInit } from './supervisor-server.ts'

/**
 * Starts a supervisor without children that is linked to the calling process, its parent.
 * @throws StartError by rejection: `ERR_ALREADY_STARTED`, `ERR_START_TIMEOUT`
 * @throws PidmeshError by rejection: `ERR_BAD_OPTION`
 */
export function startLink(
  self: Context,
  flags: DynamicSupervisorFlags = {},
  options: SupervisorOptions = {},
): Promise<DynamicSupervisorPid> {
  return promised(() => startServerLink(self, SupervisorServer, [checkInit(flags, options)], serverOptions(options)))
}

/**
 * As `startLink`, without a link; `node.stop()` stops it, see `Supervisor.start`.
 * @throws as `startLink`
 */
export function start(
  caller: Caller,
  flags: DynamicSupervisorFlags = {},
  options: SupervisorOptions = {},
): Promise<DynamicSupervisorPid> {
  return promised(() =>
    startServer(caller, SupervisorServer, [checkInit(flags, options), 'root'], serverOptions(options)),
  )
}

/**
 * A dynamic supervisor as a child of another supervisor.
 * @param options of the specification, and those of `startLink`; `id` is by default the name, also of one in a `Via`, or else `dynamic_supervisor`;
 * `shutdown` is Infinity
 * @throws PidmeshError `ERR_BAD_OPTION`
 */
export function childSpec(
  flags: DynamicSupervisorFlags = {},
  options: ChildOptions & SupervisorOptions = {},
): ChildSpec<DynamicSupervisorPid> {
  const { spec, rest } = split(options)
  const init = checkInit(flags, rest)
  return {
    id: nameOf(rest) ?? 'dynamic_supervisor',
    type: 'supervisor',
    ...spec,
    start: (self) => startServerLink(self, SupervisorServer, [init], serverOptions(rest)),
  }
}

/**
 * Starts a child. Ids need not be unique.
 * @returns with `ok` what its start gives: of `child(Room, …)` the pid of a `Room`, typed as by `start`
 * @throws PidmeshError by rejection: `ERR_BAD_CHILD_SPEC`; `ERR_NOT_SENDABLE` for a specification that is to go to another node: functions can't
 */
export function startChild<Started extends Pid | undefined>(
  caller: Caller,
  supervisor: DynamicSupervisorRef,
  spec: ChildSpec<Started>,
): Promise<StartDynamicChildResult<Started>> {
  return promised(() => askForChild(caller, supervisor, { type: 'start_child', spec: checkChildSpec(spec, 'never') }))
}

/** Stops a child, and forgets it. */
export function terminateChild(
  caller: Caller,
  supervisor: DynamicSupervisorRef,
  pid: Pid,
): Promise<TerminateChildResult> {
  return promised(() => ask(caller, supervisor, { type: 'terminate_child', child: checkedPid(pid) }))
}

/** The children, those that are tried again last. */
export function whichChildren(caller: Caller, supervisor: DynamicSupervisorRef): Promise<readonly ChildInfo[]> {
  return ask(caller, supervisor, { type: 'which_children' })
}

export function countChildren(caller: Caller, supervisor: DynamicSupervisorRef): Promise<ChildCounts> {
  return ask(caller, supervisor, { type: 'count_children' })
}

function checkInit(flags: DynamicSupervisorFlags, options: SupervisorOptions): SupervisorInit {
  return { type: 'dynamic', flags: checkDynamicFlags(flags), template: undefined, name: nameOf(options) }
}
