/**
 * GenStatem: a process that is a state machine. What an event means depends on the state that the machine is in; one that can't be dealt with there can wait
 * for another state.
 *
 *   start, startLink, …  ──────────▶  init(...args)              → ok(state, ...actions) | ignore() | stop(reason)
 *   call, cast, messages ─┐
 *   timeouts             ─┼────────▶  handleEvent(event, state)  → nextState(state, ...actions) | keepState(...actions) | repeatState(...actions)
 *   nextEvent            ─┘                                        | stop(reason) | stopAndReply(reason, ...replies)
 *   the first state,     ──────────▶  handleEnter(state, previous)  → nothing | keepState(...) | repeatState(...) | stop(reason) | stopAndReply(…)
 *   a change of state,
 *   repeatState
 *   stop, sys.terminate,
 *   the parent's exit    ──────────▶  terminate(reason, state)
 *
 *   actions, done in order:
 *     reply(request, value), answer(from, value)      sent at once
 *     postpone()                                      the event comes again when the state has changed
 *     nextEvent(event)                                comes before any other
 *     stateTimeout(…), eventTimeout(…), timeout(name, …)   (ms, content) | ('cancel') | ('update', content)
 *     hibernate()                                     nothing: see HibernateAction
 *
 * Each callback may return a promise of these; while it is under way, all else waits. What else it returns ends the machine with
 * `{ bad_return_from_state_function: … }`, an action that is none, or not there, with `{ bad_action_from_state_function: … }`; of `handleEnter`
 * `{ bad_state_enter_return_from_state_function: … }` and `{ bad_state_enter_action_from_state_function: … }`.
 *
 * State: the state that it is in is the machine's, and given to each callback; its data is the instance, fields of the class. Not here: what follows from a return
 * (machine.ts), when callbacks are called (callbacks.ts), the types (events.ts, results.ts), starts (../start.ts), the end (../behaviour/loop.ts).
 *
 * @example
 *   interface Door {
 *     state: 'locked' | 'open'
 *     calls: Call<{ type: 'unlock'; code: string }, boolean>
 *     stateTimeout: undefined
 *   }
 *
 *   class CodeLock extends GenStatem<Door> {
 *     private code = ''
 *     override init(code: string) {
 *       this.code = code
 *       return this.ok('locked')
 *     }
 *     override handleEvent(event: StatemEvent<Door>, state: Door['state']) {
 *       switch (event.type) {
 *         case 'call':
 *           if (state === 'open') return this.keepState(this.postpone())
 *           if (event.request.code !== this.code) return this.keepState(this.reply(event.request, false))
 *           return this.nextState('open', this.reply(event.request, true), this.stateTimeout(10_000))
 *         case 'state_timeout':
 *           return this.nextState('locked')
 *         case 'info':
 *           return this.unhandled(event)
 *       }
 *     }
 *   }
 *   const door = await start(node, CodeLock, ['1234'])
 *   await call(node, door, { type: 'unlock', code: '1234' })
 */
import { PidmeshError, type Awaitable, type ExitReason } from '@pidmesh/runtime'
import type { Status } from '../behaviour/behaviour.ts'
import { notHandled } from '../behaviour/shown-value.ts'
import type { From, ReplyTo } from '../protocol.ts'
import { assignFields, fieldsOf, Server } from '../server.ts'
import type {
  AnyEvent,
  CallsOf,
  CastsOf,
  EventTimeoutOf,
  Known,
  State,
  StateOf,
  StateTimeoutOf,
  StatemEvent,
  TimeoutKey,
  TimeoutsOf,
} from './events.ts'
import type {
  EnterResult,
  EventResult,
  HibernateAction,
  InitAction,
  Action,
  KeepStateResult,
  NextEventAction,
  NextStateResult,
  PostponeAction,
  RepeatStateResult,
  ReplyAction,
  StatemInitResult,
  StatemOkResult,
  StopAndReplyResult,
  TimeoutAction,
} from './results.ts'

/** What a timeout is told: to start with so many milliseconds, to be cancelled, or to bring something else along. */
type TimeoutArgs<Content> =
  | readonly [timeoutMs: number, ...content: Brought<Content>]
  | readonly [change: 'cancel']
  | readonly [change: 'update', ...content: Brought<Content>]

/** What needn't be given is what may be `undefined`. */
type Brought<Content> = undefined extends Content ? readonly [content?: Content] : readonly [content: Content]

/** Of one that the machine's types don't name: nothing will do. */
type ArgsOf<Content> = [Content] extends [never] ? readonly [never] : Content extends [infer C] ? TimeoutArgs<C> : never

/** What `sys.getState` shows of a state machine. */
export interface StatemState<S = State, Data = unknown> {
  readonly state: S
  /** As `getData` gives it. */
  readonly data: Data
}

/** What logs and `sys.getStatus` may show of a state machine. */
export interface StatemStatus extends Status {
  readonly state: StatemState & {
    /** The types of the events that wait for another state, the oldest first: the last 100 of them. */
    readonly postponed: readonly string[]
    /** The types of those that come before any message, the next first: 100 of them. */
    readonly queued: readonly string[]
    /** Timeouts that are running: `state_timeout`, `event_timeout`, `timeout:<name>`. */
    readonly timeouts: readonly TimeoutKey[]
  }
}

export abstract class GenStatem<Types extends Known<Types>> extends Server<CallsOf<Types>, CastsOf<Types>> {
  #current: { readonly state: State } | undefined = undefined

  /**
   * Events that may be postponed or inserted at once. One more ends the machine with `{ held_events_limit: … }`: the mailbox's limit doesn't see them.
   * @default 100000, as of a mailbox
   */
  protected get maxHeldEvents(): number {
    return 100_000
  }

  /** The first thing that runs. `start` waits for it. Declare the parameters that `start` is to take. */
  abstract init(...args: never[]): Awaitable<StatemInitResult<StateOf<Types>>>

  /** An event has come, or one that was postponed comes again. */
  abstract handleEvent(event: StatemEvent<Types>, state: StateOf<Types>): Awaitable<EventResult<StateOf<Types>>>

  /**
   * The machine has come into a state: the first one (`previous` is the same), another one, or the same once more by `repeatState`. Runs before any event is
   * handled there. OTP's `state_enter`.
   */
  handleEnter(_state: StateOf<Types>, _previous: StateOf<Types>): Awaitable<EnterResult> {}

  /** The last thing that runs. Not called if the process is killed, or if it doesn't trap exits and gets an exit signal. */
  terminate(_reason: ExitReason, _state: StateOf<Types>): Awaitable<void> {}

  /**
   * The data, as `sys.getState` and crash reports see it. The default gives the instance's own fields, those that are private in TypeScript included (`#fields`
   * can't be seen). Override it, and `replaceData`, if it is something else, or to give it a type.
   */
  getData(): unknown {
    return fieldsOf(this)
  }

  /**
   * Puts other data in the place of what `getData` gave; called by `sys.replaceState`. The default assigns fields, and refuses those that the instance doesn't have.
   * One that throws must have changed nothing.
   */
  replaceData(data: unknown): void {
    assignFields(this, data)
  }

  /** What `sys.getState` gives: the state that the machine is in, and its data. */
  getState(): StatemState<StateOf<Types>, ReturnType<this['getData']>> {
    if (this.#current === undefined) throw new TypeError('a state machine has no state before init has returned')
    return { state: this.#current.state as StateOf<Types>, data: this.getData() as ReturnType<this['getData']> }
  }

  override formatStatus(status: StatemStatus): StatemStatus {
    return super.formatStatus(status) as StatemStatus
  }

  /** Called by the machine's process, once, after `init`: where the state is, and what is allowed. */
  $begin(current: { readonly state: State }): { readonly enters: boolean; readonly maxHeldEvents: number } {
    this.#current = current
    const { maxHeldEvents } = this
    if (!(maxHeldEvents >= 0)) throw new PidmeshError('ERR_BAD_OPTION', 'maxHeldEvents must be a number, 0 or more')
    return { enters: this.handleEnter !== GenStatem.prototype.handleEnter, maxHeldEvents }
  }

  /** The start has succeeded. The actions are done before anything else; then the first state is entered. */
  protected ok(state: StateOf<Types>, ...actions: readonly InitAction[]): StatemOkResult<StateOf<Types>> {
    return { type: 'ok', state, actions }
  }

  /** Goes to another state: postponed events come again, the state timeout ends, `handleEnter` runs. To the same state: as `keepState`. */
  protected nextState<const Actions extends readonly Action[]>(
    state: StateOf<Types>,
    ...actions: Actions
  ): NextStateResult<StateOf<Types>, Actions[number]> {
    return { type: 'next_state', state, actions }
  }

  /** Stays in the state. */
  protected keepState<const Actions extends readonly Action[]>(...actions: Actions): KeepStateResult<Actions[number]> {
    return { type: 'keep_state', actions }
  }

  /** Stays in the state, and runs `handleEnter` once more. Neither do postponed events come again, nor does the state timeout end. */
  protected repeatState<const Actions extends readonly Action[]>(
    ...actions: Actions
  ): RepeatStateResult<Actions[number]> {
    return { type: 'repeat_state', actions }
  }

  /** Replies, and then ends the machine as `stop` does. */
  protected stopAndReply(reason: ExitReason, ...replies: readonly ReplyAction[]): StopAndReplyResult {
    return { type: 'stop_and_reply', reason, replies }
  }

  /** Answers the call that is being handled. The value must be what the request is answered with. */
  protected reply<Request extends CallsOf<Types>>(_request: Request, value: ReplyTo<Request>): ReplyAction {
    return { type: 'reply', from: undefined, value }
  }

  /** Answers a call that came earlier, in order with the other actions. `replyTo` does it now. */
  protected answer<Reply>(from: From<Reply>, value: Reply): ReplyAction {
    // That it takes the value was checked here; the machine knows no replies' types.
    return { type: 'reply', from: from as From, value }
  }

  /** The event waits, and comes again after the next change of state, before any that comes later. */
  protected postpone(): PostponeAction {
    return { type: 'postpone' }
  }

  /** An event that comes before any other: `{ type: 'internal', content }`, or one that looks as if it had come from outside. */
  protected nextEvent(event: StatemEvent<Types>): NextEventAction {
    return { type: 'next_event', event: event as AnyEvent }
  }

  /** The machine's time in this state: an event `state_timeout` after so many milliseconds, unless the state changes before. */
  protected stateTimeout(...args: ArgsOf<StateTimeoutOf<Types>>): TimeoutAction {
    return timeoutAction('state_timeout', args)
  }

  /** The time without an event: an event `event_timeout` after so many milliseconds, unless any other comes before. */
  protected eventTimeout(...args: ArgsOf<EventTimeoutOf<Types>>): TimeoutAction {
    return timeoutAction('event_timeout', args)
  }

  /** A time that nothing ends but its cancellation: an event `timeout` with this name after so many milliseconds. */
  protected timeout<Name extends keyof TimeoutsOf<Types> & string>(
    name: Name,
    ...args: TimeoutArgs<TimeoutsOf<Types>[Name]>
  ): TimeoutAction {
    return timeoutAction(`timeout:${name}`, args)
  }

  /** Says that no event is expected soon. */
  protected hibernate(): HibernateAction {
    return { type: 'hibernate' }
  }

  /** Logs an event that means nothing in this state, and stays. A call has to be answered. */
  protected unhandled(event: Exclude<StatemEvent<Types>, { readonly type: 'call' }>): KeepStateResult<never> {
    const what = event.type === 'info' ? notHandled(event.message) : {}
    this.log.warn(
      { event: event.type, ...what },
      `${this.constructor.name} got an event that it doesn't handle in this state`,
    )
    return this.keepState()
  }
}

/** One that isn't held to the types may be told anything: what that comes to is judged where the action is done. */
function timeoutAction(timeout: TimeoutKey, [what, content]: readonly unknown[]): TimeoutAction {
  if (what === 'cancel') return { type: 'cancel_timeout', timeout }
  if (what === 'update') return { type: 'update_timeout', timeout, content }
  return { type: 'start_timeout', timeout, timeoutMs: what as number, content }
}
