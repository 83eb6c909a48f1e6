/**
 * What the callbacks of a state machine return, as data, and what of it is legal where. The methods of GenStatem make them.
 *
 *                next_state   keep_state   repeat_state   stop, stop_and_reply      actions
 *   init         (ok, ignore, stop)                                                 all but postpone
 *   handleEvent  yes          yes          yes            yes                       all
 *   handleEnter  no           yes          yes            yes                       replies, timeouts, hibernate
 */
import type { ExitReason } from '@pidmesh/runtime'
import type { From } from '../protocol.ts'
import type { IgnoreResult, StopResult } from '../results.ts'
import type { AnyEvent, State, TimeoutKey } from './events.ts'

/** A reply, sent when it is come to, in order with the other actions. `from` undefined: to the caller of the event that is being handled. */
export interface ReplyAction {
  readonly type: 'reply'
  readonly from: From | undefined
  readonly value: unknown
}

/** The event is kept, and comes again when the state has changed. */
export interface PostponeAction {
  readonly type: 'postpone'
}

/** An event that comes before any other. */
export interface NextEventAction {
  readonly type: 'next_event'
  readonly event: AnyEvent
}

/** A timeout is started, in the place of the one of this key that may be running. `Infinity` ms cancels. */
export interface StartTimeoutAction {
  readonly type: 'start_timeout'
  readonly timeout: TimeoutKey
  readonly timeoutMs: number
  readonly content: unknown
}

/** A timeout that is running isn't any more. */
export interface CancelTimeoutAction {
  readonly type: 'cancel_timeout'
  readonly timeout: TimeoutKey
}

/** A timeout that is running brings something else along; one that isn't is over at once. */
export interface UpdateTimeoutAction {
  readonly type: 'update_timeout'
  readonly timeout: TimeoutKey
  readonly content: unknown
}

/** Says that no event is expected soon. Nothing follows from it here: JavaScript offers nothing that it could do. */
export interface HibernateAction {
  readonly type: 'hibernate'
}

export type TimeoutAction = StartTimeoutAction | CancelTimeoutAction | UpdateTimeoutAction
export type EnterAction = ReplyAction | TimeoutAction | HibernateAction
export type InitAction = EnterAction | NextEventAction
export type Action = InitAction | PostponeAction

/** The machine has started, in this state. */
export interface StatemOkResult<S = State> {
  readonly type: 'ok'
  readonly state: S
  readonly actions: readonly InitAction[]
}

/** A change of state; if the state is the same, no more than `keep_state`. */
export interface NextStateResult<S = State, A = Action> {
  readonly type: 'next_state'
  readonly state: S
  readonly actions: readonly A[]
}

export interface KeepStateResult<A = Action> {
  readonly type: 'keep_state'
  readonly actions: readonly A[]
}

/** As `keep_state`, and `handleEnter` runs once more. */
export interface RepeatStateResult<A = Action> {
  readonly type: 'repeat_state'
  readonly actions: readonly A[]
}

/** Sends the replies, and ends the machine. */
export interface StopAndReplyResult {
  readonly type: 'stop_and_reply'
  readonly reason: ExitReason
  readonly replies: readonly ReplyAction[]
}

export type StatemInitResult<S = State> = StatemOkResult<S> | StopResult | IgnoreResult
export type EventResult<S = State> =
  | NextStateResult<S>
  | KeepStateResult
  | RepeatStateResult
  | StopResult
  | StopAndReplyResult
export type EnterResult =
  | void
  | KeepStateResult<EnterAction>
  | RepeatStateResult<EnterAction>
  | StopResult
  | StopAndReplyResult
