/**
 * The pure core of a state machine: which event is next, and what follows from what a callback returned. It knows no process, no clock and no user code.
 *
 *   an event, a timer ──▶ step ──▶ the machine, and effects: replies, timers; last, at most one of
 *                                    call_event  ──▶ handleEvent ─┐
 *                                    call_enter  ──▶ handleEnter ─┤ what it returned ──▶ step ──▶ …
 *                                    stop        ──▶ the end      │
 *                                    (none: it waits)            ─┘
 *
 *   next, of whatever there is:   events that were inserted ▸ postponed ones, after a change of state ▸ timeouts of zero ▸ messages
 *
 *   one transition:  the event's actions, in order ─▶ if entered: handleEnter, its actions ─▶ (repeated: once more)
 *                    ─▶ the event postponed, if it was asked for ─▶ a change of state: postponed events before those that wait, the state timeout ends
 *                    ─▶ the event timeout ends ─▶ timeouts are started, cancelled, updated ─▶ inserted events before all others
 *
 * State: the state, events that are to be handled before any message, postponed ones, timeouts; and the transition that is under way, if one is. Invariants: a
 * machine is never changed but for its timeouts, a step gives another; postponed events come again in the order in which they came first; it keeps `maxHeldEvents` events at most.
 *
 * All as gen_statem of OTP 25 does it, but for what timeouts.ts and state.ts say, and for the limit.
 */
import { assertNever, isExitReason, type ExitReason } from '@pidmesh/runtime'
import { shownValue } from '../behaviour/shown-value.ts'
import { isFrom, type From } from '../protocol.ts'
import { isEvent, isTimeoutKey, type AnyEvent, type State, type TimeoutKey } from './events.ts'
import { prepend, reverseOnto, type List } from './list.ts'
import type { Action, EnterResult, EventResult, InitAction, TimeoutAction } from './results.ts'
import { isSameState, isState } from './state.ts'
import { Timeouts, type TimerEffect } from './timeouts.ts'

export interface Machine {
  readonly state: State
  /** To be handled before any message, the next first. */
  readonly queue: List<AnyEvent>
  /** The newest first. */
  readonly postponed: List<AnyEvent>
  /** How many there are in both. */
  readonly held: number
  readonly timeouts: Timeouts
  /** What it waits for the return of; `undefined` if it waits for an event. */
  readonly transition: Transition | undefined
  readonly options: MachineOptions
}

export interface MachineOptions {
  /** Whether `handleEnter` is to be called. */
  readonly enters: boolean
  /** Events that may be postponed and inserted before the machine ends with `{ held_events_limit: … }`. */
  readonly maxHeldEvents: number
}

/** What has been asked for since the event was taken. */
interface Transition {
  readonly callback: 'event' | 'enter'
  /** `undefined`: the machine begins. */
  readonly event: AnyEvent | undefined
  readonly to: State
  readonly isPostponed: boolean
  readonly inserted: readonly AnyEvent[]
  readonly timeouts: readonly TimeoutAction[]
}

export type Input =
  /** The first of all: what `init` has asked for. */
  | { readonly type: 'begin'; readonly actions: readonly InitAction[] }
  | { readonly type: 'event'; readonly event: AnyEvent }
  | { readonly type: 'timer'; readonly timeout: TimeoutKey; readonly timer: number }
  /** What the callback returned: nothing is known of it. */
  | { readonly type: 'result'; readonly result: unknown }

export type Effect =
  | { readonly type: 'reply'; readonly to: From; readonly value: unknown }
  | TimerEffect
  | { readonly type: 'call_event'; readonly event: AnyEvent; readonly state: State }
  | { readonly type: 'call_enter'; readonly state: State; readonly previous: State }
  | { readonly type: 'stop'; readonly reason: ExitReason }

export interface Step {
  readonly machine: Machine
  readonly effects: readonly Effect[]
}

/** A machine that hasn't begun. */
export function machineIn(state: State, options: MachineOptions): Machine {
  return {
    state,
    queue: undefined,
    postponed: undefined,
    held: 0,
    timeouts: new Timeouts(),
    transition: undefined,
    options,
  }
}

/**
 * What comes of something that happens to a machine. An event, or a timer, comes while it waits for one; a result, while it waits for that.
 */
export function step(machine: Machine, input: Input): Step {
  switch (input.type) {
    case 'begin':
      return act(machine, transitionOf(undefined, machine.state), { actions: input.actions, isEntered: true }, [])
    case 'event':
      return handle(machine, input.event, [])
    case 'timer': {
      const event = machine.timeouts.takeFired(input.timeout, input.timer)
      return event === undefined ? { machine, effects: [] } : handle(machine, event, [])
    }
    case 'result':
      return returned(machine, machine.transition, input.result as EventResult | EnterResult)
    default:
      return assertNever(input)
  }
}

function handle(machine: Machine, event: AnyEvent, effects: Effect[]): Step {
  effects.push({ type: 'call_event', event, state: machine.state })
  return { machine: { ...machine, transition: transitionOf(event, machine.state) }, effects }
}

function transitionOf(event: AnyEvent | undefined, to: State): Transition {
  return { callback: 'event', event, to, isPostponed: false, inserted: [], timeouts: [] }
}

/** A callback has returned: this much is legal of it, and the actions follow. */
function returned(machine: Machine, transition: Transition | undefined, result: EventResult | EnterResult): Step {
  if (transition === undefined) throw new TypeError('a machine that waits for an event has called nothing')
  const isEnter = transition.callback === 'enter'
  if (result === undefined && isEnter) return commit(machine, transition, [])
  const bad = (): Step => stop(machine, transition.to, { bad_return_from_state_function: shownValue(result) }, [])
  switch (result?.type) {
    case 'next_state': {
      if (!isState(result.state) || !Array.isArray(result.actions)) return bad()
      const { state, actions } = result
      if (isSameState(state, transition.to)) return act(machine, transition, { actions, isEntered: false }, [])
      if (isEnter)
        return stop(machine, transition.to, { bad_state_enter_return_from_state_function: shownValue(result) }, [])
      return act(machine, { ...transition, to: state }, { actions, isEntered: true }, [])
    }
    case 'keep_state':
    case 'repeat_state': {
      if (!Array.isArray(result.actions)) return bad()
      return act(machine, transition, { actions: result.actions, isEntered: result.type === 'repeat_state' }, [])
    }
    case 'stop':
      return isExitReason(result.reason) ? stop(machine, transition.to, result.reason, []) : bad()
    case 'stop_and_reply':
      return isExitReason(result.reason) && Array.isArray(result.replies)
        ? replyAndStop(machine, transition, result.replies, result.reason)
        : bad()
    case undefined:
    default:
      return bad()
  }
}

interface Asked {
  readonly actions: readonly Action[]
  /** Whether `handleEnter` comes next, if it is to be called at all. */
  readonly isEntered: boolean
}

/** Does the actions of one return, in order; those that are for the end of the transition are kept for it. */
function act(machine: Machine, transition: Transition, { actions, isEntered }: Asked, effects: Effect[]): Step {
  if (actions.length === 0) return entered(machine, transition, isEntered, effects)
  let { isPostponed } = transition
  const inserted = [...transition.inserted]
  const timeouts = [...transition.timeouts]
  for (const action of actions) {
    const illegal = illegality(action, transition)
    if (illegal !== undefined) return stop(machine, transition.to, { [illegal]: shownValue(action) }, effects)
    switch (action.type) {
      case 'reply':
        effects.push({ type: 'reply', to: addressee(action.from, transition), value: action.value })
        break
      case 'postpone':
        isPostponed = true
        break
      case 'next_event':
        inserted.push(action.event)
        break
      case 'start_timeout':
      case 'cancel_timeout':
      case 'update_timeout':
        timeouts.push(action)
        break
      case 'hibernate':
        break
      default:
        return assertNever(action)
    }
  }
  return entered(machine, { ...transition, isPostponed, inserted, timeouts }, isEntered, effects)
}

function entered(machine: Machine, transition: Transition, isEntered: boolean, effects: Effect[]): Step {
  if (!isEntered || !machine.options.enters) return commit(machine, transition, effects)
  effects.push({ type: 'call_enter', state: transition.to, previous: machine.state })
  return { machine: { ...machine, transition: { ...transition, callback: 'enter' } }, effects }
}

/** The end of a transition. */
function commit(machine: Machine, transition: Transition, effects: Effect[]): Step {
  const { event, to, isPostponed, inserted } = transition
  const isChange = to !== machine.state
  const postponed = isPostponed && event !== undefined ? { head: event, tail: machine.postponed } : machine.postponed
  const held = machine.held + inserted.length + (postponed === machine.postponed ? 0 : 1)
  if (held > machine.options.maxHeldEvents)
    return stop(machine, to, { held_events_limit: machine.options.maxHeldEvents }, effects)
  const { timeouts } = machine
  if (isChange) timeouts.cancel('state_timeout', effects)
  timeouts.cancel('event_timeout', effects)
  timeouts.change(transition.timeouts, effects)
  const waiting = isChange ? reverseOnto(postponed, machine.queue) : machine.queue
  return proceed(
    {
      ...machine,
      state: to,
      queue: prepend(inserted, waiting),
      postponed: isChange ? undefined : postponed,
      held,
      transition: undefined,
    },
    effects,
  )
}

/** Takes the next event, of those that are there. */
function proceed(machine: Machine, effects: Effect[]): Step {
  if (machine.queue !== undefined) {
    const { head, tail } = machine.queue
    return handle({ ...machine, queue: tail, held: machine.held - 1 }, head, effects)
  }
  const event = machine.timeouts.takeDue()
  return event === undefined ? { machine, effects } : handle(machine, event, effects)
}

function replyAndStop(machine: Machine, transition: Transition, replies: readonly unknown[], reason: ExitReason): Step {
  const effects: Effect[] = []
  for (const reply of replies) {
    const { type, from, value } = (reply ?? {}) as { readonly [field: string]: unknown }
    if (type !== 'reply' || !isAddressed(from, transition))
      return stop(machine, transition.to, { bad_reply_action_from_state_function: shownValue(reply) }, effects)
    effects.push({ type: 'reply', to: addressee(from, transition), value })
  }
  return stop(machine, transition.to, reason, effects)
}

/** The machine ends in the state that the callback was in, or has chosen. */
function stop(machine: Machine, state: State, reason: ExitReason, effects: Effect[]): Step {
  effects.push({ type: 'stop', reason })
  return { machine: { ...machine, state }, effects }
}

/** Why an action that nothing is known of can't be done here: the name of the exit reason; `undefined` if it can. */
function illegality(action: Action, transition: Transition): string | undefined {
  const isEnter = transition.callback === 'enter'
  switch (action?.type) {
    case 'postpone':
      return isEnter ? 'bad_state_enter_action_from_state_function' : undefined
    case 'next_event':
      if (isEnter) return 'bad_state_enter_action_from_state_function'
      return isEvent(action.event) ? undefined : BAD_ACTION
    case 'reply':
      return isAddressed(action.from, transition) ? undefined : BAD_ACTION
    case 'start_timeout':
      return isTimeoutKey(action.timeout) && isDuration(action.timeoutMs) ? undefined : BAD_ACTION
    case 'cancel_timeout':
    case 'update_timeout':
      return isTimeoutKey(action.timeout) ? undefined : BAD_ACTION
    case 'hibernate':
      return undefined
    default:
      return BAD_ACTION
  }
}

function isDuration(timeoutMs: unknown): boolean {
  return typeof timeoutMs === 'number' && timeoutMs >= 0
}

const BAD_ACTION = 'bad_action_from_state_function'

/** Whether it is known whom a reply goes to: a caller that is named, or that of the event. */
function isAddressed(from: unknown, { event }: Transition): from is From | undefined {
  return from === undefined ? event?.type === 'call' : isFrom(from)
}

function addressee(from: From | undefined, { event }: Transition): From {
  if (from !== undefined) return from
  if (event?.type !== 'call') throw new TypeError('nobody waits for this reply')
  return event.from
}
