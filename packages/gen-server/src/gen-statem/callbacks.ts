/**
 * GenStatem as a behaviour: the shell of the pure core. It makes events of messages, calls what the core says, and does its effects.
 *
 *   a message ──▶ an event ─┐
 *   a timer's note ─────────┴▶ step ─▶ effects: replies, timers ─┬▶ handleEvent | handleEnter ─▶ what it returned ─▶ step ─▶ …
 *                                                                ├▶ the loop's end
 *                                                                └▶ nothing: the next message
 *
 * State: the machine, the timers that run for it, and the contexts of events that are put off. Invariants: a synchronous callback is handled without a promise; no
 * message is handled before the core waits for one; the code of a process that has ended is called no more; an event that comes again does so in its own context,
 * whatever has changed the state.
 */
import { atOnce } from '../behaviour/at-once.ts'
import { QUANTUM, turn } from '../behaviour/turn.ts'
import { isInstance } from '../is-instance.ts'
import { assertNever, isExitReason, type Context, type ExitReason, type KeptContext, type Ref } from '@pidmesh/runtime'
import type { Behaviour, Handled, Initialised, Status } from '../behaviour/behaviour.ts'
import type { Debug } from '../behaviour/debug.ts'
import { shownValue } from '../behaviour/shown-value.ts'
import { reply } from '../call.ts'
import { isCallMessage, isCastMessage, type From } from '../protocol.ts'
import { badState } from '../server.ts'
import { isEvent, type AnyEvent, type State, type TimeoutKey } from './events.ts'
import type { GenStatem, StatemState, StatemStatus } from './gen-statem.ts'
import type { List } from './list.ts'
import { machineIn, step, type Effect, type Machine, type Step } from './machine.ts'
import type { EnterResult, EventResult, InitAction, PostponeAction, StatemInitResult } from './results.ts'
import { isState } from './state.ts'

/** A state machine of any types: what an event holds was checked where it was sent. */
export type AnyStatem = GenStatem<{
  readonly state: State
  readonly calls: object
  readonly casts: unknown
  readonly internal: unknown
  readonly stateTimeout: unknown
  readonly eventTimeout: unknown
  readonly timeouts: { readonly [name: string]: unknown }
}>

type Returned = EventResult | EnterResult

/** Events that a status shows. */
const SHOWN = 100

/** Runs `init`. */
export function initialiseStatem(
  self: Context,
  statem: AnyStatem,
  args: readonly unknown[],
): Initialised | Promise<Initialised> {
  statem.$enter(self)
  const result: StatemInitResult | Promise<StatemInitResult> = statem.init(...(args as readonly never[]))
  const enter = (outcome: StatemInitResult): Initialised => initialised({ self, statem }, outcome)
  return result instanceof Promise ? result.then(enter) : enter(result)
}

interface Parts {
  readonly self: Context
  readonly statem: AnyStatem
}

function initialised(parts: Parts, result: StatemInitResult): Initialised {
  switch (result?.type) {
    case 'ok':
      if (!isState(result.state) || !Array.isArray(result.actions)) return badInit(result)
      return { type: 'ok', behaviour: new StatemCallbacks(parts, result.state, result.actions) }
    case 'stop':
      return isExitReason(result.reason) ? result : badInit(result)
    case 'ignore':
      return result
    default:
      return badInit(result)
  }
}

function badInit(result: unknown): Initialised {
  return { type: 'stop', reason: { bad_return_from_init: shownValue(result) } }
}

/** A timer of the machine's has fired. Can't be made by others: it is an instance, and stays on its node. */
class TimeoutNote {
  readonly type: TimeoutKey
  readonly timer: number

  constructor(timeout: TimeoutKey, timer: number) {
    this.type = timeout
    this.timer = timer
  }
}

class StatemCallbacks implements Behaviour {
  hasReplied = false
  /** Whose call has come last. A machine may answer others with it that it has put off. */
  private asked: From | undefined = undefined
  debug: Debug | undefined = undefined
  private readonly self: Context
  private readonly statem: AnyStatem
  private readonly actions: readonly InitAction[]
  private readonly timers = new Map<number, Ref>()
  private machine: Machine
  /** Of postponed events, and of what they have inserted. Not there before one is, nor ever on a node whose contexts don't travel. */
  private kept: WeakMap<AnyEvent, KeptContext> | undefined = undefined

  constructor({ self, statem }: Parts, state: State, actions: readonly InitAction[]) {
    this.self = self
    this.statem = statem
    this.actions = actions
    this.machine = machineIn(state, statem.$begin(this))
  }

  get name(): string {
    return this.statem.constructor.name
  }

  get state(): State {
    return this.machine.state
  }

  begin(): Handled | Promise<Handled> {
    return this.run(step(this.machine, { type: 'begin', actions: this.actions }))
  }

  handle(message: unknown): Handled | Promise<Handled> {
    if (isInstance(message, TimeoutNote)) {
      this.timers.delete(message.timer)
      return this.run(step(this.machine, { type: 'timer', timeout: message.type, timer: message.timer }))
    }
    const event = eventOf(message)
    this.asked = event.type === 'call' ? event.from : undefined
    return this.run(step(this.machine, { type: 'event', event }))
  }

  terminate(reason: ExitReason): void | Promise<void> {
    return this.statem.terminate(reason, this.state)
  }

  getState(): StatemState {
    const shown = atOnce(this.statem.getState(), 'getState gives a state')
    atOnce(shown?.data, 'getData gives data')
    return shown
  }

  replaceState(replacement: unknown): void {
    const { state, data } = (replacement ?? {}) as { readonly state?: unknown; readonly data?: unknown }
    if (!isState(state)) throw badState('a state machine has a state, a text or an object with a type, and data')
    atOnce(this.statem.replaceData(data), 'replaceData replaces data')
    this.machine = { ...this.machine, state }
  }

  formatStatus(status: Status): Status {
    const { postponed, queue, timeouts, transition } = this.machine
    const event = 'message' in status ? transition?.event : undefined
    const shown: StatemStatus = {
      ...status,
      ...(event === undefined ? {} : { message: messageOf(event) }),
      state: {
        ...(status.state as StatemState),
        postponed: typesOf(postponed).toReversed(),
        queued: typesOf(queue),
        timeouts: timeouts.keys(),
      },
    }
    return atOnce(this.statem.formatStatus(shown), 'formatStatus gives a status')
  }

  /** Goes on until the machine waits for an event, or ends. Others have their turn if that takes many callbacks. */
  private run(first: Step): Handled | Promise<Handled> {
    let next = first
    for (let left = QUANTUM; ; left--) {
      const called = this.perform(next)
      if (called === undefined) return undefined
      if (called.type === 'stop') return called
      const result = this.call(called)
      if (result instanceof Promise) return this.runAfter(called, result)
      if (!this.self.isAlive) return undefined
      if (left === 0) return this.runAfter(called, this.later(result))
      this.keepContexts(called, result)
      next = step(this.machine, { type: 'result', result })
    }
  }

  /** As `run`. A loop, since a machine may insert events for ever. */
  private async runAfter(first: Called, pending: Promise<Returned>): Promise<Handled> {
    let result = await pending
    let called = first
    for (let left = QUANTUM; this.self.isAlive; left--) {
      this.keepContexts(called, result)
      const next = this.perform(step(this.machine, { type: 'result', result }))
      if (next === undefined) return undefined
      if (next.type === 'stop') return next
      called = next
      result = await this.call(called)
      if (left === 0) {
        left = QUANTUM
        await turn(this.self)
      }
    }
    return undefined
  }

  private async later(result: Returned): Promise<Returned> {
    await turn(this.self)
    return result
  }

  private call(called: Called): Returned | Promise<Returned> {
    const context = this.contextOf(called)
    return context === undefined ? this.callNow(called) : context(() => this.callNow(called))
  }

  private callNow(called: Called): Returned | Promise<Returned> {
    return called.type === 'call_event'
      ? this.statem.handleEvent(called.event as never, called.state)
      : this.statem.handleEnter(called.state, called.previous)
  }

  /** Of an event that was put off, also for the `handleEnter` that follows. `undefined`: what is active is right. */
  private contextOf(called: Called): KeptContext | undefined {
    const event = called.type === 'call_event' ? called.event : this.machine.transition?.event
    return event === undefined ? undefined : this.kept?.get(event)
  }

  /** What has come with an event is active as long as it is handled: it is kept for an event that comes again, and for what that inserts. */
  private keepContexts(called: Called, result: Returned): void {
    if (called.type === 'call_enter') return
    const { event } = called
    const actions = (result as { readonly actions?: unknown } | undefined)?.actions
    if (!Array.isArray(actions)) return
    for (const action of actions as readonly Partial<InitAction | PostponeAction>[]) {
      if (action?.type === 'postpone' && this.kept?.has(event) !== true) this.keep(event, this.self.keepContext())
      else if (action?.type === 'next_event' && isEvent(action.event)) this.keep(action.event, this.kept?.get(event))
    }
  }

  private keep(event: AnyEvent, context: KeptContext | undefined): void {
    if (context !== undefined) (this.kept ??= new WeakMap()).set(event, context)
    // One object may be inserted again and again: it has not the context of the last time.
    else this.kept?.delete(event)
  }

  /** Takes the machine's next form, and does its effects. The last may be one to wait for. */
  private perform({ machine, effects }: Step): Called | Extract<Effect, { type: 'stop' }> | undefined {
    this.machine = machine
    for (const effect of effects) {
      switch (effect.type) {
        case 'reply':
          if (this.asked?.tag.equals(effect.to.tag) === true) this.hasReplied = true
          reply(this.self, effect.to, effect.value)
          this.debug?.tell({ type: 'out', to: effect.to.pid, message: effect.value })
          break
        case 'start_timer': {
          const note = new TimeoutNote(effect.timeout, effect.timer)
          this.timers.set(effect.timer, this.self.sendAfter(effect.timeoutMs, this.self.pid, note))
          break
        }
        case 'cancel_timer':
          this.cancelTimer(effect.timer)
          break
        case 'call_event':
        case 'call_enter':
        case 'stop':
          return effect
        default:
          return assertNever(effect)
      }
    }
    return undefined
  }

  private cancelTimer(timer: number): void {
    const ref = this.timers.get(timer)
    // One that has fired may have its note in the mailbox: it isn't of any timeout that is running.
    if (ref !== undefined) this.self.cancelTimer(ref)
    this.timers.delete(timer)
  }
}

type Called = Extract<Effect, { type: 'call_event' | 'call_enter' }>

function eventOf(message: unknown): AnyEvent {
  if (isCallMessage(message)) return { type: 'call', request: message.request, from: message.from }
  return isCastMessage(message) ? { type: 'cast', request: message.request } : { type: 'info', message }
}

/** What crash reports show of an event: what was sent, or the event itself if nobody has sent it. */
function messageOf(event: AnyEvent): unknown {
  if (event.type === 'call' || event.type === 'cast') return event.request
  return event.type === 'info' ? event.message : event
}

function typesOf(events: List<AnyEvent>): string[] {
  const types: string[] = []
  for (let cell = events; cell !== undefined && types.length < SHOWN; cell = cell.tail) types.push(cell.head.type)
  return types
}
