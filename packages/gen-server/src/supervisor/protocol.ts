/**
 * What supervisors are asked, and what they answer: Erlang's results as values. The functions that ask stand in supervisor.ts and
 * dynamic-supervisor.ts.
 */
import type { ExitReason, Pid } from '@pidmesh/runtime'
import type { Call, ServerPid, ServerRef } from '../protocol.ts'
import type { CheckedChildSpec, ChildSpec } from './child-spec.ts'
import type { CheckedDynamicFlags, CheckedFlags } from './flags.ts'

/** How a start went that was tried, of a child whose start gives `Started`. */
export type StartResult<Started extends Pid | undefined = Pid | undefined> =
  /** `undefined`: its start says that it isn't wanted now. */
  | { readonly type: 'ok'; readonly pid: Started }
  /** Another process, of whatever kind, has the name that it is to have; or its process is a child already. */
  | { readonly type: 'already_started'; readonly pid: Pid }
  | { readonly type: 'start_failed'; readonly reason: ExitReason }

/** What failed to start is not kept. */
export type StartChildResult<Started extends Pid | undefined = Pid | undefined> =
  | StartResult<Started>
  /** There is a child of that id, which doesn't run: `restartChild` or `deleteChild`. */
  | { readonly type: 'already_present' }

/** Of a `DynamicSupervisor`, whose children may share an id, and which may be full. */
export type StartDynamicChildResult<Started extends Pid | undefined = Pid | undefined> =
  | StartResult<Started>
  | { readonly type: 'max_children' }

/** What any of them may answer. */
export type AnyStartChildResult = StartChildResult | StartDynamicChildResult

/** What failed to start stays as it is, stopped. */
export type RestartChildResult =
  | StartResult
  | { readonly type: 'not_found' | 'running' | 'restarting' | 'simple_one_for_one' }

export type TerminateChildResult = 'ok' | 'not_found' | 'simple_one_for_one'
export type DeleteChildResult = 'ok' | 'not_found' | 'running' | 'restarting' | 'simple_one_for_one'

/** With the defaults filled in: as it would be started again. */
export type GetChildSpecResult = CheckedChildSpec | 'not_found'

export interface ChildInfo {
  readonly id: string
  /** `restarting`: it could not be restarted, and is tried again. `undefined`: it doesn't run. */
  readonly pid: Pid | 'restarting' | undefined
  readonly type: 'worker' | 'supervisor'
}

export interface ChildCounts {
  /** Specifications: children, running or not; with `simple_one_for_one` 1. */
  readonly specs: number
  /** Children that run. */
  readonly active: number
  /** Of the specifications, with dynamic children of those that are there: how many are of this type. */
  readonly supervisors: number
  readonly workers: number
}

/** The specification can't be: the caller is thrown it. */
export interface BadChildSpec {
  readonly type: 'bad_child_spec'
  readonly problem: string
}

/** To a caller on another node: the answer can't be sent there. The caller is thrown it. */
export interface UnsendableAnswer {
  readonly type: 'unsendable'
  readonly code: 'ERR_NOT_SENDABLE' | 'ERR_MESSAGE_TOO_LARGE'
  readonly problem: string
}

type Asked<Request extends object, Answer> = Call<Request, Answer | UnsendableAnswer>

export type SupervisorCall =
  | Asked<{ readonly type: 'start_child'; readonly spec: ChildSpec }, AnyStartChildResult | BadChildSpec>
  /** With `simple_one_for_one`. */
  | Asked<{ readonly type: 'start_child_with'; readonly args: readonly unknown[] }, AnyStartChildResult | BadChildSpec>
  | Asked<{ readonly type: 'terminate_child'; readonly child: string | Pid }, TerminateChildResult>
  | Asked<{ readonly type: 'restart_child'; readonly id: string }, RestartChildResult>
  | Asked<{ readonly type: 'delete_child'; readonly id: string }, DeleteChildResult>
  | Asked<{ readonly type: 'get_child_spec'; readonly child: string | Pid }, GetChildSpecResult>
  | Asked<{ readonly type: 'which_children' }, readonly ChildInfo[]>
  | Asked<{ readonly type: 'count_children' }, ChildCounts>

/** What `sys.getState` shows of a supervisor: what it was told of itself, and its children as `whichChildren` gives them. */
export interface SupervisorState {
  readonly flags: CheckedFlags | CheckedDynamicFlags
  readonly children: readonly ChildInfo[]
}

declare const kind: unique symbol

/** For the compiler only: what kind of supervisor it is. */
interface Of<Kind> {
  readonly [kind]?: Kind
}

interface Simple<Args extends readonly unknown[], Started extends Pid | undefined> {
  readonly simple: (...args: Args) => Started
}

/** Addresses a supervisor: its pid, name, … */
export type SupervisorRef = ServerRef<SupervisorCall, never, SupervisorState> & Of<'static'>
export type SupervisorPid = ServerPid<SupervisorCall, never, SupervisorState> & Of<'static'>
/** … with the strategy `simple_one_for_one`, whose children are started with `Args`, and whose starts give `Started`. */
export type SimpleSupervisorRef<
  Args extends readonly unknown[],
  Started extends Pid | undefined = Pid | undefined,
> = ServerRef<SupervisorCall, never, SupervisorState> & Of<Simple<Args, Started>>
export type SimpleSupervisorPid<
  Args extends readonly unknown[],
  Started extends Pid | undefined = Pid | undefined,
> = ServerPid<SupervisorCall, never, SupervisorState> & Of<Simple<Args, Started>>
export type DynamicSupervisorRef = ServerRef<SupervisorCall, never, SupervisorState> & Of<'dynamic'>
export type DynamicSupervisorPid = ServerPid<SupervisorCall, never, SupervisorState> & Of<'dynamic'>
/** Any of them. */
export type AnySupervisorRef = ServerRef<SupervisorCall, never, SupervisorState>
